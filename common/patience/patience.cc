#include "common/patience/patience.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "common/status/status.h"

namespace millrace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

milliseconds Backoff::Next(const absl::Status& status) {
  const milliseconds wait = next_;
  next_ = std::min(next_ * 2, options_.longest);
  const milliseconds asked_for = RetryAfter(status).value_or(std::chrono::seconds(0));
  return std::min(std::max(wait, asked_for), options_.longest);
}

bool WaitUnlessStopped(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

absl::Status Patience::Try(const std::function<Attempt()>& work) {
  gave_up_ = false;
  Backoff backoff(options_.waits);
  std::optional<steady_clock::time_point> end;
  while (true) {
    const Attempt attempt = work();
    if (attempt.reason.empty()) {
      return attempt.status.ok() ? Tell("") : attempt.status;
    }
    if (stop_.stop_requested()) {
      return Cancelled("stopped while it waited: {}", attempt.reason);
    }
    RETURN_IF_ERROR(Tell(attempt.reason));
    const steady_clock::time_point now = steady_clock::now();
    end = end.value_or(now + options_.limit);
    if (now >= *end) {
      gave_up_ = true;
      return attempt.status;
    }
    const milliseconds left = std::chrono::ceil<milliseconds>(*end - now);
    WaitUnlessStopped(std::min(backoff.Next(attempt.status), left), stop_);
  }
}

absl::Status Patience::Tell(const std::string& reason) {
  if (told_ == reason) {
    return absl::OkStatus();
  }
  told_ = reason;
  return tell_(reason);
}

}  // namespace millrace
