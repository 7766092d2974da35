#include "clients/cli/up.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/ascii.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clients/cli/connection_options.h"
#include "clients/cli/console.h"
#include "clients/cli/context_file.h"
#include "clients/cli/failure.h"
#include "clients/cli/local_stack.h"
#include "clients/cli/output.h"
#include "clients/cli/stack_list.h"
#include "clients/cli/table.h"
#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

// The words of `up` and `down`.
struct UpWords {
  std::string folder = DefaultStateFolder();
  bool detach = false;
};

Result StackResult(const std::vector<RunningService>& services, TableStyle style) {
  Table table({"SERVICE", "ADDRESS", ">PROCESS"});
  Result result;
  for (const RunningService& service : services) {
    table.Add({service.name, service.address, fmt::format("{}", service.process.pid())});
    result.json += fmt::format(R"({}{}: {{"address": {}, "process": {}}})",
                               result.json.empty() ? "{" : ", ",
                               ToJson(std::string_view(service.name)),
                               ToJson(std::string_view(service.address)),
                               service.process.pid());
    result.names.push_back(service.name);
  }
  result.json += "}\n";
  result.text = table.ToString(style);
  return result;
}

// Waits until the user asks to stop or a service ends; returns that service, or nullptr.
const RunningService* WaitForEnd(const std::vector<RunningService>& services,
                                 const std::stop_token& stop) {
  const int asked = eventfd(0, EFD_CLOEXEC);
  CHECK(asked >= 0);
  const RunningService* ended = nullptr;
  {
    const std::stop_callback<std::function<void()>> on_stop(stop,
                                                            [asked] { eventfd_write(asked, 1); });
    std::vector<pollfd> doors{{asked, POLLIN, 0}};
    for (const RunningService& service : services) {
      doors.push_back({service.process.descriptor(), POLLIN, 0});
    }
    while (poll(doors.data(), doors.size(), -1) < 0) {
    }
    for (std::size_t i = 0; i < services.size(); ++i) {
      ended = doors[i + 1].revents != 0 && doors[0].revents == 0 ? &services[i] : ended;
    }
  }
  close(asked);
  return ended;
}

absl::StatusOr<std::string> FolderOf(const UpWords& words) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(words.folder, error);
  return error ? UsageError(fmt::format("--folder must be a path, found '{}'", words.folder),
                            "leave it out to use the usual folder")
               : absl::StatusOr<std::string>(path.string());
}

// What the commands that follow have to know, where it is not what they take by themselves.
void TellWhere(const std::vector<RunningService>& services, Shell& shell) {
  const Addresses usual;
  for (const Service service : kServices) {
    for (const RunningService& running : services) {
      if (running.name == NameOf(service) && running.address != AddressOf(usual, service)) {
        shell.console.Note(fmt::format(
            "export MILLRACE_{}_ADDRESS={}", absl::AsciiStrToUpper(running.name), running.address));
      }
    }
  }
}

std::string DownCommand(const std::string& folder) {
  return folder == DefaultStateFolder() ? "millrace down"
                                        : fmt::format("millrace down --folder {}", folder);
}

void TellStarted(const std::vector<RunningService>& services, Shell& shell) {
  for (const RunningService& service : services) {
    if (service.was_up) {
      shell.console.Note(fmt::format("the {} service was up already", service.name));
    }
  }
  TellWhere(services, shell);
  if (const absl::StatusOr<Endpoints>& ends = shell.connection.endpoints();
      ends.ok() && ends->context != kLocalContext) {
    shell.console.Note(
        fmt::format("commands go to the context '{}'; 'millrace context use local' "
                    "turns them to these",
                    ends->context));
  }
}

absl::Status Up(const UpWords& words, Shell& shell) {
  ASSIGN_OR_RETURN(const std::string folder, FolderOf(words));
  ASSIGN_OR_RETURN(const std::string programs, ProgramFolder());
  ASSIGN_OR_RETURN(const Addresses addresses, LocalAddresses(shell.flags));
  ASSIGN_OR_RETURN(const std::vector<RunningService> services,
                   StartStack({.folder = folder, .programs = programs, .addresses = addresses},
                              shell.connection.stop()));
  RememberStack(folder).IgnoreError();  // only what helps later
  shell.Print(StackResult(services, shell.style()));
  TellStarted(services, shell);
  shell.console.Note(fmt::format("state and logs are in {}", folder));
  shell.console.Note("next: millrace dataset import FILE --name NAME --label COLUMN");
  if (words.detach) {
    shell.console.Note(fmt::format("'{}' stops them", DownCommand(folder)));
    return absl::OkStatus();
  }
  shell.console.Note("ctrl-c stops them");
  const RunningService* const ended = WaitForEnd(services, shell.connection.stop());
  shell.console.Note("stopping");
  RETURN_IF_ERROR(StopStack(folder).status());
  if (ended != nullptr) {
    return WithFix(Unavailable("the {} service ended, so the others were stopped", ended->name),
                   fmt::format("{}/{}.log has its log", folder, ended->name));
  }
  return absl::OkStatus();
}

// Nothing runs where `down` looked.
absl::Status NothingUp(const std::string& folder, bool named, Shell& shell) {
  const std::vector<std::string> others = RunningStacks();
  if (!others.empty()) {
    return WithFix(NotFound("nothing was up in {}; a stack runs in {}",
                            folder,
                            fmt::format("{}", fmt::join(others, ", "))),
                   fmt::format("'{}' stops it", DownCommand(others.front())));
  }
  if (named) {
    return WithFix(NotFound("nothing was up in {}", folder), "give the folder that 'up' was given");
  }
  shell.Print(
      {.json = "{\"stopped\": 0}\n", .text = fmt::format("nothing was up in {}\n", folder)});
  return absl::OkStatus();
}

absl::Status Down(const UpWords& words, Shell& shell) {
  ASSIGN_OR_RETURN(const std::string folder, FolderOf(words));
  ASSIGN_OR_RETURN(const int stopped, StopStack(folder));
  if (stopped == 0) {
    return NothingUp(folder, folder != DefaultStateFolder(), shell);
  }
  shell.Print({.json = fmt::format("{{\"stopped\": {}}}\n", stopped),
               .text = fmt::format("stopped {} services\n", stopped)});
  return absl::OkStatus();
}

}  // namespace

void AddUp(CLI::App& app, Action& chosen) {
  const auto words = std::make_shared<UpWords>();
  CLI::App* const up = app.add_subcommand("up", "start the three services on this machine");
  up->add_option("--folder",
                 words->folder,
                 "state, logs and process numbers; $XDG_STATE_HOME/millrace when not given");
  up->add_flag("--detach", words->detach, "leave them running in the background");
  up->callback([words, &chosen] { chosen = [words](Shell& shell) { return Up(*words, shell); }; });

  CLI::App* const down = app.add_subcommand("down", "stop what 'up --detach' started");
  down->add_option("--folder", words->folder, "as given to 'up'");
  down->callback(
      [words, &chosen] { chosen = [words](Shell& shell) { return Down(*words, shell); }; });
}

}  // namespace millrace::cli
