#include "clients/cli/process.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

// glibc 2.36 declares its own pidfd_open without C linkage.
int OpenPidfd(pid_t pid) {
  return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
}

// What posix_spawn is told: a session of its own, so that Ctrl-C in our terminal reaches only us;
// no blocked signals, though we block some; streams away from the terminal.
class SpawnPlan {
 public:
  explicit SpawnPlan(const std::string& log) {
    CHECK(posix_spawnattr_init(&attributes_) == 0);
    CHECK(posix_spawn_file_actions_init(&actions_) == 0);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    constexpr int kLogFlags = O_WRONLY | O_CREAT | O_APPEND;
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, log.c_str(), kLogFlags, 0600);
    posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO);
  }

  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // An errno, 0 for success.
  int Spawn(std::vector<std::string> words, pid_t& pid) const {
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (std::string& word : words) {
      arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    return posix_spawn(&pid, arguments[0], &actions_, &attributes_, arguments.data(), environ);
  }

 private:
  posix_spawnattr_t attributes_{};
  posix_spawn_file_actions_t actions_{};
};

// The tick since boot at which `pid` started: field 22 of its stat line, counted behind the
// program's name, which may hold anything.
absl::StatusOr<std::string> StartTick(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::ostringstream text;
  text << file.rdbuf();
  const std::string line = text.str();
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) {
    return NotFound("process {} has ended", pid);
  }
  std::istringstream fields(line.substr(name_end + 1));
  std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
  constexpr std::size_t kStart = 22 - 3;  // the first word is field 3
  if (words.size() <= kStart || words[0] == "Z" || words[0] == "X") {
    return NotFound("process {} has ended", pid);
  }
  return words[kStart];
}

}  // namespace

absl::StatusOr<Process> Process::Start(const std::vector<std::string>& words,
                                       const std::string& log) {
  CHECK(!words.empty());
  pid_t pid = 0;
  if (access(words[0].c_str(), F_OK) != 0) {
    return WithFix(NotFound("there is no program '{}'", words[0]),
                   "it is built and installed beside 'millrace'");
  }
  if (const int error = SpawnPlan(log).Spawn(words, pid); error != 0) {
    return WithFix(Unavailable("cannot start '{}': {}", words[0], std::strerror(error)),
                   fmt::format("see that it may be run and that '{}' can be written", log));
  }
  const int descriptor = OpenPidfd(pid);
  if (descriptor < 0) {
    kill(pid, SIGTERM);
    return Unavailable("cannot hold process {}: {}", pid, std::strerror(errno));
  }
  return Process(pid, descriptor);
}

absl::StatusOr<Process> Process::Find(const std::string& ticket) {
  std::istringstream words(ticket);
  int pid = 0;
  std::string tick;
  if (!(words >> pid >> tick) || pid <= 0) {
    return NotFound("'{}' names no process", ticket);
  }
  const int descriptor = OpenPidfd(pid);
  if (descriptor < 0) {
    return NotFound("process {} has ended", pid);
  }
  Process process(pid, descriptor);
  // Compared after the descriptor is held: from here on the number cannot change its meaning.
  ASSIGN_OR_RETURN(const std::string now, StartTick(pid));
  if (now != tick) {
    return NotFound("process {} is another one now", pid);
  }
  return process;
}

Process::Process(Process&& other) noexcept
    : pid_(other.pid_),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Process::~Process() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

absl::StatusOr<std::string> Process::Ticket() const {
  ASSIGN_OR_RETURN(const std::string tick, StartTick(pid_));
  return fmt::format("{} {}\n", pid_, tick);
}

bool Process::WaitForEnd(std::chrono::milliseconds timeout) const {
  std::array<pollfd, 1> door{{{descriptor_, POLLIN, 0}}};
  return poll(door.data(), door.size(), static_cast<int>(timeout.count())) > 0;
}

void Process::Signal(int signal) const {
  syscall(SYS_pidfd_send_signal, descriptor_, signal, nullptr, 0);
}

absl::Status Process::Stop(std::chrono::milliseconds timeout) const {
  Signal(SIGTERM);
  if (WaitForEnd(timeout)) {
    return absl::OkStatus();
  }
  return WithFix(Unavailable("process {} did not stop within {} s", pid_, timeout.count() / 1000),
                 fmt::format("'kill -9 {}' ends it", pid_));
}

// NOLINTNEXTLINE(readability-make-member-function-const): it takes the code away.
std::optional<int> Process::TakeExitCode() {
  siginfo_t info{};
  if (waitid(P_PIDFD, static_cast<id_t>(descriptor_), &info, WEXITED | WNOHANG) != 0 ||
      info.si_pid == 0) {
    return std::nullopt;
  }
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

}  // namespace millrace::cli
