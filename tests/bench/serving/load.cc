#include "tests/bench/serving/load.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "common/status/check.h"

namespace millrace::serving {

namespace {

using std::chrono::steady_clock;

// What the callers of one measurement share.
struct Measurement {
  steady_clock::time_point end;
  std::atomic<std::int64_t> calls{0};
  std::mutex mutex;
  std::condition_variable changed;
  int running = 0;  // guarded by mutex
};

void Loop(Caller& caller, Measurement& measurement) {
  caller.Start([&caller, &measurement](bool ok) {
    CHECK(ok);
    if (steady_clock::now() < measurement.end) {
      measurement.calls.fetch_add(1, std::memory_order_relaxed);
      Loop(caller, measurement);
      return;
    }
    const std::lock_guard lock(measurement.mutex);
    --measurement.running;
    measurement.changed.notify_all();
  });
}

}  // namespace

double MeasureRate(int in_flight,
                   std::chrono::milliseconds duration,
                   const std::function<std::unique_ptr<Caller>()>& make) {
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < in_flight; ++i) {
    callers.push_back(make());
  }
  Measurement measurement;
  measurement.running = in_flight;
  measurement.end = steady_clock::now() + duration;
  for (const auto& caller : callers) {
    Loop(*caller, measurement);
  }
  std::unique_lock lock(measurement.mutex);
  measurement.changed.wait(lock, [&] { return measurement.running == 0; });
  return static_cast<double>(measurement.calls) / std::chrono::duration<double>(duration).count();
}

}  // namespace millrace::serving
