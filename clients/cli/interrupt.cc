#include "clients/cli/interrupt.h"

#include <array>
#include <csignal>
#include <thread>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clients/cli/failure.h"
#include "common/status/check.h"

namespace millrace::cli {

Interrupt::Interrupt() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC);
  end_fd_ = eventfd(0, EFD_CLOEXEC);
  CHECK(signal_fd_ >= 0 && end_fd_ >= 0);
  watcher_ = std::thread([this] { Watch(); });
}

Interrupt::~Interrupt() {
  eventfd_write(end_fd_, 1);
  watcher_.join();
  close(end_fd_);
  close(signal_fd_);
}

void Interrupt::Watch() {
  std::array<pollfd, 2> doors{{{signal_fd_, POLLIN, 0}, {end_fd_, POLLIN, 0}}};
  while (true) {
    poll(doors.data(), doors.size(), -1);
    if ((doors[1].revents & POLLIN) != 0) {
      return;
    }
    if ((doors[0].revents & POLLIN) == 0) {
      continue;
    }
    signalfd_siginfo info{};
    if (read(signal_fd_, &info, sizeof(info)) != sizeof(info)) {
      continue;
    }
    if (!source_.request_stop()) {
      _exit(static_cast<int>(Exit::kInterrupted));
    }
  }
}

}  // namespace millrace::cli
