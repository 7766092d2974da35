// RateLimit: so much a second and no more, of what others decide to say.

#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace millrace::log {

/// Admits up to a number of events in each second that begins with an admitted one. Thread-safe.
class RateLimit {
 public:
  explicit RateLimit(int per_second) : per_second_(per_second) {}

  struct Answer {
    bool admitted = false;
    std::int64_t dropped = 0;  // since the last admitted one; 0 unless admitted
  };

  Answer Ask(std::chrono::steady_clock::time_point now) {
    const std::lock_guard lock(mutex_);
    if (!begun_ || now - begin_ >= std::chrono::seconds(1)) {
      begun_ = true;
      begin_ = now;
      count_ = 0;
    }
    if (count_ == per_second_) {
      ++dropped_;
      return {};
    }
    ++count_;
    const std::int64_t dropped = dropped_;
    dropped_ = 0;
    return {.admitted = true, .dropped = dropped};
  }

 private:
  const int per_second_;
  std::mutex mutex_;
  // All guarded by mutex_.
  bool begun_ = false;
  std::chrono::steady_clock::time_point begin_;
  int count_ = 0;
  std::int64_t dropped_ = 0;
};

}  // namespace millrace::log
