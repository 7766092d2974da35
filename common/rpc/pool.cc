#include "common/rpc/pool.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "common/rpc/caught.h"
#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::rpc {

struct Pool::State {
  explicit State(std::size_t most) : queue_max(most) {}

  // A thread of the pool: takes work until there is none and none will come.
  void Serve() {
    while (true) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return closed || !queue.empty(); });
      if (queue.empty()) {
        return;
      }
      std::function<void()> work = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      try {
        work();
      } catch (...) {  // of what did not catch its own: nobody may be waiting for the answer
        StatusOfException().IgnoreError();  // logged there
      }
      work = nullptr;  // what it holds is gone before load() says so
      load.fetch_sub(1, std::memory_order_release);
    }
  }

  const std::size_t queue_max;
  std::atomic<std::size_t> load{0};
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> queue;  // guarded by mutex
  bool closed = false;                      // guarded by mutex
  std::vector<std::thread> threads;         // written by constructor and destructor only
};

Pool::Pool(int threads, std::size_t queue_max) : state_(std::make_unique<State>(queue_max)) {
  CHECK(threads > 0);
  for (int i = 0; i < threads; ++i) {
    state_->threads.emplace_back([state = state_.get()] { state->Serve(); });
  }
}

Pool::~Pool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
  }
  state_->changed.notify_all();
  for (std::thread& thread : state_->threads) {
    thread.join();
  }
}

absl::Status Pool::Submit(std::function<void()> work) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->queue.size() >= state_->queue_max) {
      return WithFix(ResourceExhausted("the queue is full: {} requests wait", state_->queue_max),
                     "try again in a moment, or send fewer requests at once");
    }
    state_->queue.push_back(std::move(work));
    state_->load.fetch_add(1, std::memory_order_relaxed);
  }
  state_->changed.notify_one();
  return absl::OkStatus();
}

std::size_t Pool::load() const {
  return state_->load.load(std::memory_order_acquire);
}

}  // namespace millrace::rpc
