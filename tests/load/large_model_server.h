// LargeModelServer: a serving service in a process of its own, with a small and a large model.

#pragma once

#include <string>

#include <sys/types.h>

namespace millrace::serving {

/// The ids of its models: the one of tests/bench, and one whose calls take milliseconds.
inline constexpr const char* kSmallModel = "reference";
inline constexpr const char* kLargeModel = "large";

/// Forks in the constructor: make it before the process has threads. The server computes on two
/// threads and listens on a free port of the loopback; it ends with this object.
class LargeModelServer {
 public:
  LargeModelServer();
  ~LargeModelServer();
  LargeModelServer(const LargeModelServer&) = delete;
  LargeModelServer& operator=(const LargeModelServer&) = delete;

  [[nodiscard]] const std::string& address() const { return address_; }

  /// Rows of the large model that one thread of this machine computes in about 4 ms.
  [[nodiscard]] int rows() const { return rows_; }

  [[nodiscard]] pid_t process() const { return process_; }

 private:
  std::string folder_;
  std::string address_;
  int rows_ = 0;
  int until_ = -1;  // the server ends when this is closed
  pid_t process_ = -1;
};

}  // namespace millrace::serving
