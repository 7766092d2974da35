#include "services/serving/rpc/compute_pool.h"

#include <algorithm>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::serving {

namespace {

using Microseconds = std::chrono::duration<double, std::micro>;

// How long work takes beside what was estimated: the ratio of two sums over recent work in which
// older work counts ever less.
class Pace {
 public:
  void Learn(Microseconds estimated, Microseconds took) {
    estimated_ = estimated_ * kKeep + estimated.count();
    took_ = took_ * kKeep + took.count();
  }

  // Bounded, so that a few odd calls cannot open or close the queue.
  [[nodiscard]] double factor() const { return std::clamp(took_ / estimated_, 1.0 / 16, 16.0); }

 private:
  static constexpr double kKeep = 31.0 / 32;

  double estimated_ = 1'000;
  double took_ = 1'000;
};

struct Waiting {
  ComputeWork* work;
  ComputeDemand demand;
};

// What was asked of a thread, in whole nanoseconds: sums of these come back to zero.
std::int64_t NanosecondsOf(const ComputeDemand& demand) {
  constexpr double kMost = 1e15;  // eleven days
  return static_cast<std::int64_t>(std::clamp(demand.microseconds * 1e3, 0.0, kMost));
}

std::int64_t Milliseconds(Microseconds duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

absl::Status Full(absl::Status status) {
  return WithFix(std::move(status), "try again in a moment, or send fewer requests at once");
}

}  // namespace

struct ComputePool::State {
  State(const ComputeLimits& most, const Clock& now, std::shared_ptr<prometheus::Registry> registry)
      : limits(most),
        clock(now),
        metrics(std::move(registry)),
        waiting_gauge(prometheus::BuildGauge()
                          .Name("millrace_predictions_waiting")
                          .Help("Requests that wait for a compute thread.")
                          .Register(*metrics)
                          .Add({})),
        refused_counter(prometheus::BuildCounter()
                            .Name("millrace_predictions_refused_total")
                            .Help("Requests that were refused because they would wait too long.")
                            .Register(*metrics)
                            .Add({})) {}

  void Serve();
  void RunFirst(std::unique_lock<std::mutex>& lock);

  // The rest is called with the mutex held.
  [[nodiscard]] Microseconds Estimate(std::int64_t nanoseconds) const {
    return Microseconds(static_cast<double>(nanoseconds) * 1e-3 * pace.factor());
  }

  [[nodiscard]] Microseconds Wait() const;
  [[nodiscard]] absl::Status Check(const ComputeDemand& demand) const;

  void TellWaiting() { waiting_gauge.Set(static_cast<double>(waiting.size())); }

  const ComputeLimits limits;
  const Clock& clock;
  const std::shared_ptr<prometheus::Registry> metrics;
  prometheus::Gauge& waiting_gauge;
  prometheus::Counter& refused_counter;
  mutable std::mutex mutex;
  std::condition_variable changed;
  // All guarded by mutex.
  std::list<Waiting> waiting;
  std::int64_t waiting_bytes = 0;
  std::int64_t waiting_ns = 0;
  std::size_t running = 0;
  std::int64_t running_ns = 0;
  Pace pace;
  bool closed = false;

  std::vector<std::thread> threads;  // written by constructor and destructor only
};

Microseconds ComputePool::State::Wait() const {
  const auto thread_count = static_cast<std::size_t>(limits.threads);
  if (waiting.size() + running < thread_count) {
    return Microseconds(0);
  }
  // What runs is half done on average.
  return Estimate(waiting_ns + running_ns / 2) / static_cast<double>(thread_count);
}

absl::Status ComputePool::State::Check(const ComputeDemand& demand) const {
  if (waiting.size() >= limits.waiting_max) {
    return Full(ResourceExhausted("the queue is full: {} requests wait", waiting.size()));
  }
  if (!waiting.empty() && demand.bytes > limits.waiting_bytes_max - waiting_bytes) {
    return Full(ResourceExhausted(
        "the queue is full: requests of {} bytes wait, and this one has {}, of {} that may",
        waiting_bytes,
        demand.bytes,
        limits.waiting_bytes_max));
  }
  const Microseconds wait = Wait();
  if (wait > limits.wait_max &&
      waiting.size() >= limits.waiting_few * static_cast<std::size_t>(limits.threads)) {
    return Full(ResourceExhausted("the queue is full: a prediction would begin in about {} ms",
                                  Milliseconds(wait)));
  }
  const Microseconds left = demand.deadline - clock.Now();
  if (wait.count() > 0 && wait + Estimate(NanosecondsOf(demand)) > left) {
    return Full(ResourceExhausted(
        "the queue is too long for the deadline: a prediction would begin in about {} ms, and the "
        "call ends in {} ms",
        Milliseconds(wait),
        Milliseconds(left)));
  }
  return absl::OkStatus();
}

// Takes the first of the queue and sees it through. The mutex is held before and after, but not
// meanwhile.
void ComputePool::State::RunFirst(std::unique_lock<std::mutex>& lock) {
  const Waiting first = waiting.front();
  const std::int64_t nanoseconds = NanosecondsOf(first.demand);
  waiting.pop_front();
  TellWaiting();
  waiting_bytes -= first.demand.bytes;
  waiting_ns -= nanoseconds;
  ++running;
  running_ns += nanoseconds;
  // Half: an estimate is too rough to give up work that may still be in time.
  const Microseconds least = Estimate(nanoseconds) / 2;
  lock.unlock();
  const auto begin = std::chrono::steady_clock::now();
  const bool late = Microseconds(first.demand.deadline - clock.Now()) < least;
  const absl::Status status =
      late ? absl::DeadlineExceededError("the deadline comes before the prediction would be ready")
           : first.work->Run();
  const auto took = std::chrono::steady_clock::now() - begin;
  lock.lock();
  --running;
  running_ns -= nanoseconds;
  if (status.ok()) {
    pace.Learn(Microseconds(static_cast<double>(nanoseconds) * 1e-3), took);
  }
  // Only now: whoever gets the answer finds the place free.
  lock.unlock();
  first.work->End(status);
  lock.lock();
}

// A thread of the pool: takes work until there is none and none will come.
void ComputePool::State::Serve() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [this] { return closed || !waiting.empty(); });
    if (waiting.empty()) {
      return;
    }
    RunFirst(lock);
  }
}

ComputePool::ComputePool(const ComputeLimits& limits,
                         const Clock& clock,
                         const std::shared_ptr<prometheus::Registry>& metrics)
    : state_(std::make_unique<State>(limits, clock, metrics)) {
  CHECK(limits.threads > 0 && limits.waiting_few > 0);
  for (int i = 0; i < limits.threads; ++i) {
    state_->threads.emplace_back([state = state_.get()] { state->Serve(); });
  }
}

ComputePool::~ComputePool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
  }
  state_->changed.notify_all();
  for (std::thread& thread : state_->threads) {
    thread.join();
  }
}

absl::Status ComputePool::Admit(ComputeWork& work, const ComputeDemand& demand) {
  {
    const std::lock_guard lock(state_->mutex);
    if (absl::Status refused = state_->Check(demand); !refused.ok()) {
      state_->refused_counter.Increment();
      return refused;
    }
    state_->waiting.push_back({.work = &work, .demand = demand});
    state_->TellWaiting();
    state_->waiting_bytes += demand.bytes;
    state_->waiting_ns += NanosecondsOf(demand);
  }
  state_->changed.notify_one();
  return absl::OkStatus();
}

bool ComputePool::Remove(const ComputeWork& work) {
  const std::lock_guard lock(state_->mutex);
  const auto found = std::find_if(state_->waiting.begin(),
                                  state_->waiting.end(),
                                  [&work](const Waiting& one) { return one.work == &work; });
  if (found == state_->waiting.end()) {
    return false;
  }
  state_->waiting_bytes -= found->demand.bytes;
  state_->waiting_ns -= NanosecondsOf(found->demand);
  state_->waiting.erase(found);
  state_->TellWaiting();
  return true;
}

std::size_t ComputePool::load() const {
  const std::lock_guard lock(state_->mutex);
  return state_->waiting.size() + state_->running;
}

std::chrono::microseconds ComputePool::wait() const {
  const std::lock_guard lock(state_->mutex);
  return std::chrono::duration_cast<std::chrono::microseconds>(state_->Wait());
}

}  // namespace millrace::serving
