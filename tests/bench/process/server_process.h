// ServerProcess: a server in a process of its own, and what it spends.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace millrace::bench {

/// What a process has spent since its start, over all threads that live.
struct Effort {
  double seconds = 0;         // of processor time
  std::int64_t switches = 0;  // of context, voluntary or not
};

/// Runs from its construction to its destruction, which ends the process by SIGTERM. Ends this
/// program when the server does not start within half a minute.
class ServerProcess {
 public:
  /// Starts `words`, a program and its arguments, whose standard output goes nowhere, and waits
  /// until it has written its port as decimal digits and a newline to `port_file`.
  ServerProcess(const std::vector<std::string>& words, const std::string& port_file);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  [[nodiscard]] int port() const { return port_; }

  [[nodiscard]] Effort EffortNow() const;

  /// Memory that the process has now, not what it has reserved.
  [[nodiscard]] std::int64_t ResidentBytes() const;

 private:
  pid_t pid_ = -1;
  int port_ = 0;
};

}  // namespace millrace::bench
