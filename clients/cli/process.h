// Process: a program in the background, started by us now or by an earlier `millrace up`.

#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace millrace::cli {

/// Holds on to one process by a descriptor, so that its number cannot come to mean another one. The
/// process lives on when this goes. Not thread-safe.
class Process {
 public:
  /// Starts `words[0]` (a path) with the rest as its arguments, in a session of its own, with no
  /// input and its output appended to the file `log`. NOT_FOUND when there is no such program,
  /// UNAVAILABLE when it or the log cannot be had.
  static absl::StatusOr<Process> Start(const std::vector<std::string>& words,
                                       const std::string& log);

  /// The process that wrote itself down as `ticket` (see below), or NOT_FOUND when it has ended.
  static absl::StatusOr<Process> Find(const std::string& ticket);

  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  [[nodiscard]] int pid() const { return pid_; }

  /// A descriptor that polls as readable once the process has ended.
  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// Names this process and no other: its number and the tick at which it started.
  [[nodiscard]] absl::StatusOr<std::string> Ticket() const;

  /// Whether it has ended; waits up to `timeout` for that.
  [[nodiscard]] bool WaitForEnd(std::chrono::milliseconds timeout) const;

  /// Sends `signal`. Nothing happens when it has ended.
  void Signal(int signal) const;

  /// SIGTERM, then waits. UNAVAILABLE when it goes on for longer than `timeout`.
  [[nodiscard]] absl::Status Stop(std::chrono::milliseconds timeout) const;

  /// Its exit code, or 128 plus the signal that ended it. Only for a child of this process that has
  /// ended, and only once.
  std::optional<int> TakeExitCode();

 private:
  Process(int pid, int descriptor) : pid_(pid), descriptor_(descriptor) {}

  int pid_;
  int descriptor_;
};

}  // namespace millrace::cli
