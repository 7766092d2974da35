// Interrupt: turns Ctrl-C and SIGTERM into a wish that code can look at.

#pragma once

#include <stop_token>
#include <thread>

namespace millrace::cli {

/// Takes SIGINT and SIGTERM for the whole process. The first one asks stop() to stop; a second one
/// ends the process at once with exit code 130. Create it before any other thread, once.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] std::stop_token stop() const { return source_.get_token(); }

 private:
  void Watch();

  std::stop_source source_;
  int signal_fd_;
  int end_fd_;
  std::thread watcher_;
};

}  // namespace millrace::cli
