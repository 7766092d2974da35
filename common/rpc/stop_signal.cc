#include <csignal>

#include "common/rpc/server.h"

namespace millrace::rpc {

namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

void BlockStopSignals() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void WaitForStopSignal() {
  const sigset_t signals = StopSignals();
  int arrived = 0;
  while (sigwait(&signals, &arrived) != 0) {
  }
}

}  // namespace millrace::rpc
