#include "services/training/worker/service_pipe.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>

#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/status/check.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace millrace::training {

namespace {

int BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  // A closed report pipe is an error of write(), not the end of the process.
  CHECK(std::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

// Whether the other end of a pipe is closed. The service sends nothing after the task; anything
// that comes nevertheless is passed over.
bool IsClosed(int pipe) {
  std::array<char, 256> passed_over{};
  const ssize_t count = read(pipe, passed_over.data(), passed_over.size());
  return count == 0 || (count < 0 && errno != EINTR);
}

}  // namespace

ServicePipe::ServicePipe(int task_pipe, int report_pipe)
    : task_pipe_(task_pipe),
      report_pipe_(report_pipe),
      signals_(BlockStopSignals()),
      finished_(eventfd(0, EFD_CLOEXEC)) {
  CHECK(signals_ >= 0 && finished_ >= 0);
}

ServicePipe::~ServicePipe() {
  if (watcher_.joinable()) {
    const std::uint64_t one = 1;
    CHECK(write(finished_, &one, sizeof one) == sizeof one);
    watcher_.join();
  }
  close(finished_);
  close(signals_);
  close(task_pipe_);
  close(report_pipe_);
}

absl::StatusOr<v1::WorkerTask> ServicePipe::ReadTask() {
  google::protobuf::io::FileInputStream stream(task_pipe_);
  v1::WorkerTask task;
  bool at_end = false;
  if (!google::protobuf::util::ParseDelimitedFromZeroCopyStream(&task, &stream, &at_end)) {
    return InvalidArgument("standard input must hold one WorkerTask, found {}",
                           at_end ? "nothing" : "something else");
  }
  watcher_ = std::thread([this] { Watch(); });
  return task;
}

absl::Status ServicePipe::Report(const v1::WorkerReport& report) {
  google::protobuf::io::FileOutputStream stream(report_pipe_);
  if (!google::protobuf::util::SerializeDelimitedToZeroCopyStream(report, &stream) ||
      !stream.Flush()) {
    return Unavailable("the training service does not take reports any more");
  }
  return absl::OkStatus();
}

void ServicePipe::Watch() {
  std::array<pollfd, 3> watched{{{.fd = task_pipe_, .events = POLLIN, .revents = 0},
                                 {.fd = signals_, .events = POLLIN, .revents = 0},
                                 {.fd = finished_, .events = POLLIN, .revents = 0}}};
  while (watched[2].revents == 0) {
    if (poll(watched.data(), watched.size(), -1) < 0) {
      continue;
    }
    if (watched[0].revents != 0 && IsClosed(task_pipe_)) {
      log::Warning("the training service is gone, ending");
      std::_Exit(EXIT_FAILURE);
    }
    if (watched[1].revents != 0) {
      signalfd_siginfo signal{};
      if (read(signals_, &signal, sizeof signal) == sizeof signal) {
        stop_.request_stop();
      }
    }
  }
}

}  // namespace millrace::training
