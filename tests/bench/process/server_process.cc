#include "tests/bench/process/server_process.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/status/check.h"

namespace millrace::bench {

namespace {

constexpr std::chrono::seconds kStartMax{30};
constexpr std::chrono::milliseconds kGlance{5};

// 0 while the file is not there, or not whole.
int PortIn(const std::string& path) {
  std::ifstream file(path);
  int port = 0;
  return file >> port && file.get() == '\n' ? port : 0;
}

// The numbers behind `key:` in a file of /proc, added up.
std::int64_t SumOf(const std::filesystem::path& path, const std::string& key) {
  std::ifstream file(path);
  std::int64_t sum = 0;
  for (std::string line; std::getline(file, line);) {
    if (const std::size_t at = line.find(key + ":"); at != std::string::npos) {
      sum += std::stoll(line.substr(at + key.size() + 1));
    }
  }
  return sum;
}

}  // namespace

ServerProcess::ServerProcess(const std::vector<std::string>& words, const std::string& port_file) {
  std::vector<char*> arguments;
  for (const std::string& word : words) {
    arguments.push_back(const_cast<char*>(word.c_str()));  // NOLINT: as posix_spawn wants it
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  CHECK(posix_spawn_file_actions_init(&actions) == 0);
  for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO}) {
    CHECK(posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0) == 0);
  }
  CHECK(posix_spawn(&pid_, words.front().c_str(), &actions, nullptr, arguments.data(), environ) ==
        0);
  posix_spawn_file_actions_destroy(&actions);
  const auto deadline = std::chrono::steady_clock::now() + kStartMax;
  while ((port_ = PortIn(port_file)) == 0) {
    CHECK(std::chrono::steady_clock::now() < deadline);
    CHECK(waitpid(pid_, nullptr, WNOHANG) == 0);
    std::this_thread::sleep_for(kGlance);
  }
}

ServerProcess::~ServerProcess() {
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

Effort ServerProcess::EffortNow() const {
  Effort effort;
  const std::string tasks = "/proc/" + std::to_string(pid_) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::int64_t nanoseconds = 0;
    std::ifstream(task.path() / "schedstat") >> nanoseconds;
    effort.seconds += static_cast<double>(nanoseconds) * 1e-9;
    effort.switches += SumOf(task.path() / "status", "ctxt_switches");
  }
  return effort;
}

std::int64_t ServerProcess::ResidentBytes() const {
  return SumOf("/proc/" + std::to_string(pid_) + "/status", "VmRSS") * 1024;
}

}  // namespace millrace::bench
