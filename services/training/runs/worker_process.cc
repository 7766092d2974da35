#include "services/training/runs/worker_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {  // glibc 2.36 forgot this in the header
#include <sys/pidfd.h>
}

#include "common/status/check.h"
#include "common/status/status.h"
#include "common/storage/descriptor.h"
#include "services/training/runs/report_frames.h"

namespace millrace::training {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using storage::Descriptor;

constexpr std::size_t kReadBytes = std::size_t{64} << 10;

struct Pipe {
  Descriptor read;
  Descriptor write;
};

absl::Status OpenPipe(Pipe& pipe) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Unavailable("a pipe for a worker cannot be made: {}", std::strerror(errno));
  }
  pipe.read.Reset(ends[0]);
  pipe.write.Reset(ends[1]);
  return absl::OkStatus();
}

// What a worker needs of our environment, and no other's secrets: where programs, libraries and
// temporary files are, the language and zone of what it prints, gRPC's own switches, and what a
// build with sanitizers or coverage is told.
constexpr std::array<std::string_view, 15> kForWorkers{"PATH",
                                                       "LD_LIBRARY_PATH",
                                                       "TMPDIR",
                                                       "LANG",
                                                       "LC_ALL",
                                                       "TZ",
                                                       "GRPC_VERBOSITY",
                                                       "GRPC_TRACE",
                                                       "GRPC_DNS_RESOLVER",
                                                       "ASAN_OPTIONS",
                                                       "LSAN_OPTIONS",
                                                       "TSAN_OPTIONS",
                                                       "UBSAN_OPTIONS",
                                                       "LLVM_PROFILE_FILE",
                                                       "GCOV_PREFIX"};

// Ends with a null pointer; points into our environment.
std::vector<char*> WorkerEnvironment() {
  std::vector<char*> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable(*entry);
    const std::string_view name = variable.substr(0, variable.find('='));
    if (std::find(kForWorkers.begin(), kForWorkers.end(), name) != kForWorkers.end()) {
      kept.push_back(*entry);
    }
  }
  kept.push_back(nullptr);
  return kept;
}

// What posix_spawn is told, freed with its owner.
class SpawnPlan {
 public:
  SpawnPlan(const Pipe& task, const Pipe& reports) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, task.read.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, reports.write.get(), STDOUT_FILENO);
    // Sockets of clients and the catalog are not the worker's.
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    sigset_t none;
    sigemptyset(&none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }

  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  absl::StatusOr<pid_t> Spawn(std::string program) const {
    std::array<char*, 2> arguments{program.data(), nullptr};
    std::vector<char*> environment = WorkerEnvironment();
    pid_t pid = 0;
    const int error = posix_spawn(
        &pid, program.c_str(), &actions_, &attributes_, arguments.data(), environment.data());
    if (error != 0) {
      return WithFix(
          Unavailable("the worker {} cannot be started: {}", program, std::strerror(error)),
          "set `worker` of the training service to where millrace-worker is");
    }
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::string Describe(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format(
        "was killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  }
  return fmt::format("exited with code {}", WEXITSTATUS(status));
}

// A process that was started and is to be reaped.
class Child {
 public:
  Child(pid_t pid, milliseconds grace) : pid_(pid), process_(pidfd_open(pid, 0)), grace_(grace) {}

  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  ~Child() {
    if (pid_ > 0) {
      Kill();
      Wait();
    }
  }

  // Readable once it has ended.
  [[nodiscard]] int descriptor() const { return process_.get(); }

  // With all that it has started.
  void Kill() const { kill(-pid_, SIGKILL); }

  // The first call asks it to stop; it has until the grace is over.
  void AskToStop() {
    if (!asked_) {
      kill(-pid_, SIGTERM);
      deadline_ = steady_clock::now() + grace_;
      asked_ = true;
    }
  }

  // Milliseconds for poll(): until the grace is over, or without end.
  [[nodiscard]] int Patience() const {
    if (!asked_) {
      return -1;
    }
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline_ - steady_clock::now()).count();
    return left < 0 ? 0 : static_cast<int>(left) + 1;
  }

  void KillWhenOverdue() {
    if (asked_ && steady_clock::now() >= deadline_) {
      Kill();
    }
  }

  // Writes down how it ended. It has closed its end of the pipe, so it should; one that does not is
  // killed.
  void Reap(WorkerEnd& end) {
    pollfd ended{.fd = process_.get(), .events = POLLIN, .revents = 0};
    if (poll(&ended, 1, static_cast<int>(grace_.count())) == 0) {
      Kill();
    }
    const int status = Wait();
    end.process = Describe(status);
    end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }

 private:
  int Wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

  pid_t pid_;
  Descriptor process_;
  milliseconds grace_;
  bool asked_ = false;
  steady_clock::time_point deadline_;  // when the grace is over; once asked
};

bool IsLast(const v1::WorkerReport& report) {
  return report.has_result() || report.has_failure() || report.has_gave_way();
}

// Takes the last report out of what `bytes` completes, and gives the rest to the handler.
absl::Status Handle(std::string_view bytes,
                    ReportFrames& frames,
                    const ReportsHandler& handler,
                    WorkerEnd& end) {
  ASSIGN_OR_RETURN(std::vector<v1::WorkerReport> reports, frames.Take(bytes));
  if (!reports.empty() && IsLast(reports.back())) {
    end.last = std::move(reports.back());
    reports.pop_back();
  }
  return reports.empty() ? absl::OkStatus() : handler(std::move(reports));
}

// Reads reports until the worker closes its end, which it does by ending. What it has started and
// left behind would keep the pipe open.
absl::Status ReadReports(int reports,
                         int stopped,
                         Child& child,
                         const ReportsHandler& handler,
                         WorkerEnd& end) {
  ReportFrames frames;
  std::string bytes(kReadBytes, '\0');
  std::array<pollfd, 3> watched{{{.fd = reports, .events = POLLIN, .revents = 0},
                                 {.fd = stopped, .events = POLLIN, .revents = 0},
                                 {.fd = child.descriptor(), .events = POLLIN, .revents = 0}}};
  while (true) {
    if (poll(watched.data(), watched.size(), child.Patience()) < 0 && errno != EINTR) {
      return Internal("waiting for a worker: {}", std::strerror(errno));
    }
    if (watched[1].revents != 0) {
      child.AskToStop();
      watched[1].fd = -1;  // poll() passes over it from now on
      watched[1].revents = 0;
    }
    if (watched[2].revents != 0) {
      child.Kill();
      watched[2].fd = -1;
      watched[2].revents = 0;
    }
    child.KillWhenOverdue();
    if (watched[0].revents == 0) {
      continue;
    }
    const ssize_t count = read(reports, bytes.data(), bytes.size());
    if (count == 0) {
      return absl::OkStatus();
    }
    const auto size = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    RETURN_IF_ERROR(Handle(std::string_view(bytes).substr(0, size), frames, handler, end));
  }
}

}  // namespace

absl::StatusOr<WorkerEnd> RunWorker(const WorkerOptions& options,
                                    const v1::WorkerTask& task,
                                    const std::stop_token& stop,
                                    const ReportsHandler& handler) {
  Pipe task_pipe;
  Pipe report_pipe;
  RETURN_IF_ERROR(OpenPipe(task_pipe));
  RETURN_IF_ERROR(OpenPipe(report_pipe));
  const Descriptor stopped(eventfd(0, EFD_CLOEXEC));
  if (stopped.get() < 0) {
    return Unavailable("an eventfd for a worker cannot be made: {}", std::strerror(errno));
  }
  ASSIGN_OR_RETURN(const pid_t pid, SpawnPlan(task_pipe, report_pipe).Spawn(options.program));
  Child child(pid, options.grace);
  task_pipe.read.Reset(-1);
  report_pipe.write.Reset(-1);
  const std::stop_callback wake(stop, [&stopped] {
    const std::uint64_t one = 1;
    CHECK(write(stopped.get(), &one, sizeof one) == sizeof one);
  });
  // A worker that ends before it has read its task is told by how it ended.
  google::protobuf::util::SerializeDelimitedToFileDescriptor(task, task_pipe.write.get());
  WorkerEnd end;
  RETURN_IF_ERROR(ReadReports(report_pipe.read.get(), stopped.get(), child, handler, end));
  task_pipe.write.Reset(-1);
  child.Reap(end);
  return end;
}

}  // namespace millrace::training
