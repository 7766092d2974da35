#include "tests/load/loops.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

namespace millrace::serving {

namespace {

using std::chrono::steady_clock;

// Collects how calls ended.
class Tally {
 public:
  void Begin() {
    const std::lock_guard lock(mutex_);
    ++open_;
  }

  // The call's own time was taken before: waiting here is not part of it.
  void End(const grpc::Status& status, steady_clock::duration took) {
    const double ms = std::chrono::duration<double, std::milli>(took).count();
    const std::lock_guard lock(mutex_);
    if (status.ok()) {
      outcome_.answered_ms.push_back(ms);
    } else if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
      outcome_.refused_ms.push_back(ms);
    } else {
      ++outcome_.failed;
      outcome_.failure = status.error_message();
    }
    --open_;
    changed_.notify_all();
  }

  Outcome Take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_ == 0; });
    outcome_.seconds = std::chrono::duration<double>(steady_clock::now() - begin_).count();
    std::sort(outcome_.answered_ms.begin(), outcome_.answered_ms.end());
    std::sort(outcome_.refused_ms.begin(), outcome_.refused_ms.end());
    return std::move(outcome_);
  }

 private:
  const steady_clock::time_point begin_ = steady_clock::now();
  std::mutex mutex_;
  std::condition_variable changed_;
  int open_ = 0;     // guarded by mutex_
  Outcome outcome_;  // guarded by mutex_
};

void Repeat(const Begin& begin, steady_clock::time_point end, Tally& tally) {
  tally.Begin();
  begin([&begin, end, &tally, start = steady_clock::now()](const grpc::Status& status) {
    const auto now = steady_clock::now();
    if (now < end) {
      Repeat(begin, end, tally);
    }
    tally.End(status, now - start);
  });
}

}  // namespace

Outcome ClosedLoop(int in_flight, std::chrono::milliseconds duration, const Begin& begin) {
  Tally tally;
  const auto end = steady_clock::now() + duration;
  for (int i = 0; i < in_flight; ++i) {
    Repeat(begin, end, tally);
  }
  return tally.Take();
}

Outcome OpenLoop(double rate, std::chrono::milliseconds duration, const Begin& begin) {
  std::mt19937_64 random(7);  // every loop of a rate is the same
  std::exponential_distribution<double> gap(rate);
  Tally tally;
  auto due = steady_clock::now();
  const auto end = due + duration;
  while (true) {
    due += std::chrono::duration_cast<steady_clock::duration>(
        std::chrono::duration<double>(gap(random)));
    if (due >= end) {
      return tally.Take();
    }
    std::this_thread::sleep_until(due);
    tally.Begin();
    begin([&tally, due](const grpc::Status& status) {
      tally.End(status, steady_clock::now() - due);
    });
  }
}

double Quantile(const std::vector<double>& values, double share) {
  if (values.empty()) {
    return 0;
  }
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(share * last)];
}

}  // namespace millrace::serving
