// QuietTimer: does something when nothing has been going on for a while.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace millrace {

/// Counts what is going on, and calls a function on a thread of its own once all of it has ended
/// and nothing has begun for some time since. Thread-safe; outlives what it counts.
class QuietTimer {
 public:
  QuietTimer(std::chrono::milliseconds wait, std::function<void()> work);
  QuietTimer(const QuietTimer&) = delete;
  QuietTimer& operator=(const QuietTimer&) = delete;

  /// Something goes on until the last copy of this dies.
  using Busy = std::shared_ptr<void>;
  [[nodiscard]] Busy Begin();

 private:
  void End();

  const std::chrono::milliseconds wait_;
  const std::function<void()> work_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  // Both guarded by mutex_.
  int busy_ = 0;
  std::chrono::steady_clock::time_point due_ = std::chrono::steady_clock::time_point::max();
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace millrace
