#include "common/memory/quiet_timer.h"

#include <stop_token>
#include <utility>

namespace millrace {

namespace {

using std::chrono::steady_clock;

}  // namespace

QuietTimer::QuietTimer(std::chrono::milliseconds wait, std::function<void()> work)
    : wait_(wait),
      work_(std::move(work)),
      thread_([this](const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (!stop.stop_requested()) {
          if (due_ == steady_clock::time_point::max()) {
            changed_.wait(lock, stop, [this] { return due_ != steady_clock::time_point::max(); });
            continue;
          }
          const auto due = due_;
          changed_.wait_until(lock, stop, due, [&] { return due_ != due; });
          if (due_ == due && steady_clock::now() >= due && !stop.stop_requested()) {
            due_ = steady_clock::time_point::max();
            lock.unlock();
            work_();
            lock.lock();
          }
        }
      }) {}

QuietTimer::Busy QuietTimer::Begin() {
  const std::lock_guard lock(mutex_);
  ++busy_;
  due_ = steady_clock::time_point::max();
  changed_.notify_all();
  return {nullptr, [this](std::nullptr_t) { End(); }};
}

void QuietTimer::End() {
  const std::lock_guard lock(mutex_);
  if (--busy_ == 0) {
    due_ = steady_clock::now() + wait_;
    changed_.notify_all();
  }
}

}  // namespace millrace
