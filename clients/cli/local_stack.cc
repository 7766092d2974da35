#include "clients/cli/local_stack.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "clients/cli/private_file.h"
#include "common/rpc/channel.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kStartMax{30};
constexpr std::chrono::seconds kStopMax{60};
constexpr std::array<std::string_view, 3> kStartOrder{"data", "serving", "training"};
constexpr std::array<std::string_view, 3> kStopOrder{"training", "serving", "data"};

// Where one service keeps what.
struct Places {
  std::string state;
  std::string log;
  std::string ticket;
  std::string port;
  std::string address;  // where it was bound last
};

Places PlacesOf(const std::string& folder, std::string_view name) {
  const auto file = [&](std::string_view suffix) {
    return fmt::format("{}/{}{}", folder, name, suffix);
  };
  return {.state = file(""),
          .log = file(".log"),
          .ticket = file(".pid"),
          .port = file(".port"),
          .address = file(".address")};
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

absl::StatusOr<Process> FindService(const std::string& folder, std::string_view name) {
  return Process::Find(FirstLine(PlacesOf(folder, name).ticket));
}

// Whether a library wrote the line, for its makers: E1127 13:20:01.123456789 ...
bool IsChatter(std::string_view line) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return line.size() > 6 && std::string_view("DIWEF").find(line[0]) != std::string_view::npos &&
         std::all_of(line.begin() + 1, line.begin() + 5, digit) && line[5] == ' ';
}

std::string LogEnd(const std::string& path) {
  constexpr std::size_t kLines = 3;
  std::ifstream file(path);
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (IsChatter(line)) {
      continue;
    }
    lines.push_back(std::move(line));
    if (lines.size() > kLines) {
      lines.pop_front();
    }
  }
  std::string text;
  for (const std::string& line : lines) {
    text += "\n  " + line;
  }
  return text;
}

std::string AddressOf(const Addresses& addresses, std::string_view name) {
  if (name == "data") {
    return addresses.data;
  }
  return name == "training" ? addresses.training : addresses.serving;
}

// The words that start `name`; `plan` has the bound addresses of those that run already.
std::vector<std::string> WordsFor(std::string_view name,
                                  const StackPlan& plan,
                                  const Places& places) {
  std::vector<std::string> words{fmt::format("{}/millrace-{}", plan.programs, name),
                                 fmt::format("--address={}", AddressOf(plan.addresses, name)),
                                 fmt::format("--folder={}", places.state),
                                 fmt::format("--port-file={}", places.port)};
  if (name == "training") {
    words.push_back(fmt::format("--data-address={}", plan.addresses.data));
    words.push_back(fmt::format("--serving-address={}", plan.addresses.serving));
  }
  return words;
}

// The host of `address` with the port that was bound.
std::string BoundAddress(const std::string& address, const std::string& port) {
  return fmt::format("{}:{}", address.substr(0, address.rfind(':')), port);
}

absl::Status EndedAtStart(const Places& places) {
  return WithFix(Unavailable("it ended at start:{}", LogEnd(places.log)),
                 fmt::format("{} has its whole log", places.log));
}

// Waits until the service has written its port and answers there; returns its address.
absl::StatusOr<std::string> WaitUntilAnswers(const Process& process,
                                             const std::string& address,
                                             const Places& places,
                                             const std::stop_token& stop) {
  constexpr std::chrono::milliseconds kGlance{10};
  constexpr std::chrono::seconds kProbeMax{1};
  const auto deadline = std::chrono::steady_clock::now() + kStartMax;
  while (!stop.stop_requested()) {
    const std::string port = FirstLine(places.port);
    if (!port.empty() && rpc::Probe(BoundAddress(address, port), kProbeMax).ok()) {
      return BoundAddress(address, port);
    }
    if (process.WaitForEnd(kGlance)) {
      return EndedAtStart(places);
    }
    if (std::chrono::steady_clock::now() > deadline) {
      return WithFix(
          Unavailable("it did not answer within {} s:{}", kStartMax.count(), LogEnd(places.log)),
          fmt::format("{} has its whole log", places.log));
    }
  }
  return Cancelled("interrupted");
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text << std::flush;
  return file ? absl::OkStatus() : Unavailable("cannot write '{}'", path);
}

absl::StatusOr<RunningService> StartService(const StackPlan& plan,
                                            std::string_view name,
                                            const std::stop_token& stop) {
  const Places places = PlacesOf(plan.folder, name);
  std::error_code error;
  fs::remove(places.port, error);
  fs::remove(places.log, error);
  ASSIGN_OR_RETURN(Process process, Process::Start(WordsFor(name, plan, places), places.log));
  absl::StatusOr<std::string> ticket = process.Ticket();
  absl::Status written = ticket.ok() ? WriteFile(places.ticket, *ticket) : EndedAtStart(places);
  absl::StatusOr<std::string> bound = absl::UnknownError("");
  if (written.ok()) {
    bound = WaitUntilAnswers(process, AddressOf(plan.addresses, name), places, stop);
    written = bound.ok() ? WriteFile(places.address, *bound) : bound.status();
  }
  if (!written.ok()) {
    process.Stop(kStopMax).IgnoreError();
    fs::remove(places.ticket, error);
    return Annotate(written, fmt::format("the {} service", name));
  }
  return RunningService{
      .name = std::string(name), .address = *bound, .process = std::move(process)};
}

void Remember(std::string_view name, const std::string& address, Addresses& addresses) {
  if (name == "data") {
    addresses.data = address;
  } else if (name == "serving") {
    addresses.serving = address;
  } else {
    addresses.training = address;
  }
}

// Those of the stack in `plan.folder` that run, in the order of their start.
std::vector<RunningService> FindRunning(const std::string& folder) {
  std::vector<RunningService> services;
  for (const std::string_view name : kStartOrder) {
    if (absl::StatusOr<Process> process = FindService(folder, name); process.ok()) {
      services.push_back({.name = std::string(name),
                          .address = FirstLine(PlacesOf(folder, name).address),
                          .process = *std::move(process),
                          .was_up = true});
    }
  }
  return services;
}

absl::Status AllUp(const std::string& folder, const RunningService& first) {
  return WithFix(FailedPrecondition("a stack is up in {}: its {} service is process {}",
                                    folder,
                                    first.name,
                                    first.process.pid()),
                 fmt::format("'millrace down --folder {}' stops it", folder));
}

// Stops what was started for nothing, the last one first.
void Undo(const std::string& folder, const std::vector<RunningService>& services) {
  for (auto service = services.rbegin(); service != services.rend(); ++service) {
    if (!service->was_up) {
      service->process.Stop(kStopMax).IgnoreError();
      std::error_code error;
      fs::remove(PlacesOf(folder, service->name).ticket, error);
    }
  }
}

}  // namespace

std::string DefaultStateFolder() {
  return UserFolder("XDG_STATE_HOME", ".local/state");
}

absl::StatusOr<std::string> ProgramFolder() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (error) {
    return Internal("cannot tell where this program is: {}", error.message());
  }
  return self.parent_path().string();
}

absl::StatusOr<std::vector<RunningService>> StartStack(const StackPlan& plan,
                                                       const std::stop_token& stop) {
  std::error_code error;
  fs::create_directories(plan.folder, error);
  if (error) {
    return WithFix(InvalidArgument("cannot make the folder '{}': {}", plan.folder, error.message()),
                   "--folder names another one");
  }
  std::vector<RunningService> running = FindRunning(plan.folder);
  if (running.size() == kStartOrder.size()) {
    return AllUp(plan.folder, running.front());
  }
  StackPlan bound = plan;
  if (!running.empty()) {  // those that run expect the others where they were
    for (const std::string_view name : kStartOrder) {
      const std::string address = FirstLine(PlacesOf(plan.folder, name).address);
      if (!address.empty()) {
        Remember(name, address, bound.addresses);
      }
    }
  }
  std::vector<RunningService> services;
  for (const std::string_view name : kStartOrder) {
    const auto found =
        std::find_if(running.begin(), running.end(), [name](const RunningService& service) {
          return service.name == name;
        });
    absl::StatusOr<RunningService> service = found != running.end()
                                                 ? absl::StatusOr<RunningService>(std::move(*found))
                                                 : StartService(bound, name, stop);
    if (!service.ok()) {
      Undo(plan.folder, services);
      return service.status();
    }
    Remember(name, service->address, bound.addresses);
    services.push_back(*std::move(service));
  }
  return services;
}

bool IsStackUp(const std::string& folder) {
  return !FindRunning(folder).empty();
}

absl::StatusOr<int> StopStack(const std::string& folder) {
  int stopped = 0;
  for (const std::string_view name : kStopOrder) {
    if (const absl::StatusOr<Process> process = FindService(folder, name); process.ok()) {
      const absl::Status status = process->Stop(kStopMax);
      if (!status.ok()) {
        return Annotate(status, fmt::format("the {} service", name));
      }
      ++stopped;
    }
    std::error_code error;
    fs::remove(PlacesOf(folder, name).ticket, error);
  }
  return stopped;
}

}  // namespace millrace::cli
