// Waiter: waits for what becomes of a run, without looking again and again.

#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>

#include "services/training/runs/run_store.h"

namespace millrace::training {

/// Blocks until a run is as a test wants it. Listens to it.
class Waiter final : public RunListener {
 public:
  void RunChanged() override {
    const std::lock_guard lock(mutex_);
    ++changes_;
    changed_.notify_all();
  }

  void Until(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    while (true) {
      const int seen = changes_;
      lock.unlock();
      if (condition()) {
        return;
      }
      lock.lock();
      changed_.wait(lock, [&] { return changes_ != seen; });
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int changes_ = 0;  // guarded by mutex_
};

}  // namespace millrace::training
