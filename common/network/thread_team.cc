#include "common/network/thread_team.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include <immintrin.h>

#include "common/status/check.h"

namespace millrace::network {

namespace {

// Pauses before a waiting thread sleeps. Barriers within a step take less; and where another
// process has the core, spinning longer only keeps it from working (300 to 3,000 were measured
// alike, 30,000 far worse).
constexpr int kSpins = 1000;

// Returns when `value` is no longer `old`.
void WaitWhile(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (value.load(std::memory_order_acquire) != old) {
      return;
    }
    _mm_pause();
  }
  while (value.load(std::memory_order_acquire) == old) {
    value.wait(old, std::memory_order_acquire);
  }
}

}  // namespace

struct ThreadTeam::State {
  // Each on its own cache line: all threads read them while one writes.
  alignas(64) std::atomic<std::uint32_t> region_count{0};  // regions started so far
  alignas(64) std::atomic<std::uint32_t> phase{0};         // barriers passed so far
  alignas(64) std::atomic<int> arrived{0};                 // at the current barrier
  const std::function<void(Member&)>* region = nullptr;    // null: the team ends
  std::vector<std::thread> threads;

  void Barrier(int size) {
    const std::uint32_t old = phase.load(std::memory_order_acquire);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 < size) {
      WaitWhile(phase, old);
      return;
    }
    arrived.store(0, std::memory_order_relaxed);
    phase.store(old + 1, std::memory_order_release);
    phase.notify_all();
  }

  void Start(const std::function<void(Member&)>* next) {
    region = next;
    region_count.fetch_add(1, std::memory_order_release);
    region_count.notify_all();
  }

  void Work(ThreadTeam& team, int index) {
    for (std::uint32_t seen = 0;; ++seen) {
      WaitWhile(region_count, seen);
      if (region == nullptr) {
        return;
      }
      Member member(team, index);
      (*region)(member);
      Barrier(team.size());
    }
  }
};

ThreadTeam::ThreadTeam(int size) : size_(size) {
  CHECK(size >= 1 && size <= 64);
  if (size == 1) {
    return;
  }
  state_ = std::make_unique<State>();
  for (int index = 1; index < size; ++index) {
    state_->threads.emplace_back([this, index] { state_->Work(*this, index); });
  }
}

ThreadTeam::~ThreadTeam() {
  if (state_ == nullptr) {
    return;
  }
  state_->Start(nullptr);
  for (std::thread& thread : state_->threads) {
    thread.join();
  }
}

void ThreadTeam::Run(const std::function<void(Member&)>& region) {
  Member caller(*this, 0);
  if (state_ == nullptr) {
    region(caller);
    return;
  }
  state_->Start(&region);
  region(caller);
  state_->Barrier(size_);
}

void ThreadTeam::Member::Barrier() {
  if (team_.state_ != nullptr) {
    team_.state_->Barrier(team_.size_);
  }
}

kernels::Range ThreadTeam::Member::Part(std::int64_t count, std::int64_t grain) const {
  const std::int64_t grains = (count + grain - 1) / grain;
  const std::int64_t first = grains * index_ / team_.size_ * grain;
  const std::int64_t last = grains * (index_ + 1) / team_.size_ * grain;
  return {.first = std::min(first, count), .last = std::min(last, count)};
}

}  // namespace millrace::network
