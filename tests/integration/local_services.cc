#include "tests/integration/local_services.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <utility>

#include <fmt/core.h>
#include <unistd.h>

#include "common/rpc/channel.h"
#include "common/status/status.h"

namespace millrace::integration {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kStartMax{20'000};
constexpr milliseconds kStopMax{30'000};

std::size_t Index(Service service) {
  return static_cast<std::size_t>(service);
}

std::string_view NameOf(Service service) {
  constexpr std::array<std::string_view, kServices.size()> kNames{"data", "serving", "training"};
  return kNames[Index(service)];
}

std::string TextOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string NewFolder() {
  static int count = 0;
  std::string folder =
      fmt::format("{}/millrace-integration.{}.{}", testing::TempDir(), getpid(), ++count);
  fs::create_directories(folder);
  return folder;
}

}  // namespace

LocalServices::LocalServices(ExtraWords words)
    : words_(std::move(words)),
      folder_(NewFolder()),
      asked_{} {}

LocalServices::~LocalServices() {
  for (const Service service : kServices) {
    Kill(service).IgnoreError();
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::optional<LocalServices::Running>& LocalServices::Slot(Service service) {
  return running_[Index(service)];
}

const std::optional<LocalServices::Running>& LocalServices::Slot(Service service) const {
  return running_[Index(service)];
}

const std::string& LocalServices::address(Service service) const {
  return addresses_[Index(service)];
}

std::vector<cli::Process> LocalServices::Children(Service service) const {
  const std::string parent = std::to_string(Slot(service)->process.pid());
  std::vector<cli::Process> children;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string line = TextOf(entry.path() / "stat");
    const std::size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) {
      continue;  // no process, or one that is gone
    }
    std::istringstream fields(line.substr(name_end + 1));  // from the third on
    const std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
    constexpr std::size_t kParent = 4 - 3;
    constexpr std::size_t kStartTick = 22 - 3;
    if (words[kParent] != parent) {
      continue;
    }
    auto child = cli::Process::Find(
        fmt::format("{} {}", entry.path().filename().string(), words[kStartTick]));
    if (child.ok()) {
      children.push_back(*std::move(child));
    }
  }
  return children;
}

std::string LocalServices::Log(Service service) const {
  return TextOf(PathOf(service, ".log"));
}

std::int64_t LocalServices::PeakMemoryBytes(Service service) const {
  return StatusBytes(service, "VmHWM:");
}

std::int64_t LocalServices::MemoryBytes(Service service) const {
  return StatusBytes(service, "VmRSS:");
}

std::int64_t LocalServices::StatusBytes(Service service, std::string_view field) const {
  std::istringstream status(TextOf(fmt::format("/proc/{}/status", Slot(service)->process.pid())));
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field, 0) == 0) {
      return std::stoll(line.substr(field.size())) * 1'024;  // given in kB
    }
  }
  return 0;
}

std::string LocalServices::PathOf(Service service, std::string_view suffix) const {
  return fmt::format("{}/{}{}", folder_, NameOf(service), suffix);
}

std::vector<std::string> LocalServices::WordsFor(Service service,
                                                 const std::string& address) const {
  std::vector<std::string> words{fmt::format("{}/millrace-{}", MILLRACE_PROGRAMS, NameOf(service)),
                                 "--address=" + address,
                                 "--folder=" + folder(service),
                                 "--port-file=" + PathOf(service, ".port")};
  const std::vector<std::string>* extra = &words_.data;
  if (service == Service::kServing) {
    extra = &words_.serving;
  } else if (service == Service::kTraining) {
    words.push_back("--data-address=" + this->address(Service::kData));
    words.push_back("--serving-address=" + this->address(Service::kServing));
    extra = &words_.training;
  }
  words.insert(words.end(), extra->begin(), extra->end());
  return words;
}

absl::Status LocalServices::Start() {
  for (const Service service : kServices) {
    RETURN_IF_ERROR(
        Annotate(Start(service), fmt::format("starting the {} service", NameOf(service))));
  }
  return absl::OkStatus();
}

absl::Status LocalServices::Start(Service service) {
  return StartAt(service, "127.0.0.1:0");
}

absl::Status LocalServices::KillAndRestart(Service service) {
  const std::string address = this->address(service);
  RETURN_IF_ERROR(Kill(service));
  return StartAt(service, address);
}

absl::Status LocalServices::StartAt(Service service, const std::string& wanted) {
  std::error_code ignored;
  fs::remove(PathOf(service, ".port"), ignored);
  ASSIGN_OR_RETURN(cli::Process process,
                   cli::Process::Start(WordsFor(service, wanted), PathOf(service, ".log")));
  absl::StatusOr<std::string> address = WaitUntilAnswers(service, process);
  addresses_[Index(service)] = address.value_or("");
  Slot(service) = Running{.process = std::move(process)};
  return address.status();
}

absl::StatusOr<ProgramEnd> LocalServices::RunProgram(Service service,
                                                     const std::vector<std::string>& words) const {
  std::vector<std::string> all{fmt::format("{}/millrace-{}", MILLRACE_PROGRAMS, NameOf(service)),
                               "--folder=" + folder(service)};
  all.insert(all.end(), words.begin(), words.end());
  const std::string log = PathOf(service, ".output");
  std::error_code ignored;
  fs::remove(log, ignored);
  ASSIGN_OR_RETURN(cli::Process process, cli::Process::Start(all, log));
  if (!process.WaitForEnd(kStopMax)) {
    process.Signal(SIGKILL);
    return Unavailable("{} goes on:\n{}", all[0], TextOf(log));
  }
  return ProgramEnd{.exit_code = process.TakeExitCode().value_or(-1), .output = TextOf(log)};
}

absl::StatusOr<std::string> LocalServices::WaitUntilAnswers(Service service,
                                                            const cli::Process& process) const {
  constexpr milliseconds kGlance{5};
  const auto deadline = steady_clock::now() + kStartMax;
  while (steady_clock::now() < deadline) {
    std::string port;
    std::ifstream(PathOf(service, ".port")) >> port;
    std::string address = "127.0.0.1:" + port;
    if (!port.empty() && rpc::Probe(address, kStartMax).ok()) {
      return address;
    }
    if (process.WaitForEnd(kGlance)) {
      return Unavailable("it ended at start:\n{}", TextOf(PathOf(service, ".log")));
    }
  }
  return Unavailable(
      "it did not answer within {} ms:\n{}", kStartMax.count(), TextOf(PathOf(service, ".log")));
}

absl::Status LocalServices::Stop() {
  for (const Service service : {Service::kTraining, Service::kServing, Service::kData}) {
    if (!Slot(service).has_value()) {
      continue;
    }
    ASSIGN_OR_RETURN(const Ending ending, Stop(service));
    if (ending.exit_code != 0) {
      return Internal("the {} service exited with {}:\n{}",
                      NameOf(service),
                      ending.exit_code,
                      TextOf(PathOf(service, ".log")));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Ending> LocalServices::Stop(Service service) {
  AskToStop(service);
  return WaitForEnd(service);
}

void LocalServices::AskToStop(Service service) {
  asked_[Index(service)] = steady_clock::now();
  Slot(service)->process.Signal(SIGTERM);
}

absl::StatusOr<Ending> LocalServices::WaitForEnd(Service service) {
  cli::Process& process = Slot(service)->process;
  if (!process.WaitForEnd(kStopMax)) {
    return Unavailable("the {} service goes on {} ms after its signal:\n{}",
                       NameOf(service),
                       kStopMax.count(),
                       TextOf(PathOf(service, ".log")));
  }
  const auto took = steady_clock::now() - asked_[Index(service)];
  const Ending ending{.exit_code = process.TakeExitCode().value_or(-1),
                      .took = std::chrono::duration_cast<milliseconds>(took)};
  Slot(service).reset();
  return ending;
}

absl::Status LocalServices::Kill(Service service) {
  if (!Slot(service).has_value()) {
    return absl::OkStatus();
  }
  asked_[Index(service)] = steady_clock::now();
  Slot(service)->process.Signal(SIGKILL);
  return WaitForEnd(service).status();
}

std::unique_ptr<Clients> LocalServices::Connect() const {
  return std::make_unique<Clients>(
      address(Service::kData), address(Service::kTraining), address(Service::kServing));
}

std::unique_ptr<LocalServices> LocalServicesTest::stack;
std::unique_ptr<Clients> LocalServicesTest::stubs;

void LocalServicesTest::StartServices(ExtraWords words) {
  stack = std::make_unique<LocalServices>(std::move(words));
  Require(stack->Start());
  stubs = stack->Connect();
}

void LocalServicesTest::TearDownTestSuite() {
  stubs.reset();
  EXPECT_EQ(stack->Stop(), absl::OkStatus());
  stack.reset();
}

}  // namespace millrace::integration
