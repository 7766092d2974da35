// Moment: how long a command waits for what it can do without.

#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

namespace millrace::cli {

constexpr std::chrono::seconds kMoment{1};

/// Asks to stop when a moment is over since it was made.
class Moment {
 public:
  [[nodiscard]] std::stop_token stop() const { return over_.get_token(); }

 private:
  void Wait(const std::stop_token& end) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    never.wait_for(lock, end, kMoment, [] { return false; });
    over_.request_stop();
  }

  std::stop_source over_;
  std::jthread waiter_{[this](const std::stop_token& end) { Wait(end); }};
};

}  // namespace millrace::cli
