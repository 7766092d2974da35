#include "common/transfer/upload_call.h"

#include <algorithm>

#include "common/patience/patience.h"

namespace millrace::transfer {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kWaitMax{2'000};
constexpr milliseconds kAskMax{60'000};

// DEADLINE_EXCEEDED: the service ended a stream that had nothing to say for too long.
bool IsBroken(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsCancelled(status) ||
         absl::IsDeadlineExceeded(status);
}

}  // namespace

absl::Status SendWithResumes(
    const std::function<absl::Status(std::int64_t, milliseconds)>& attempt,
    const std::function<absl::StatusOr<std::int64_t>(milliseconds)>& received,
    const UploadOptions& options,
    const std::stop_token& stop) {
  const auto end = steady_clock::now() + options.timeout;
  const auto left = [end] {
    const auto time = std::chrono::duration_cast<milliseconds>(end - steady_clock::now());
    return std::max(time, milliseconds{1});
  };
  std::int64_t furthest = 0;
  int idle = 0;  // attempts since the upload came further
  milliseconds wait = options.first_wait;
  absl::Status status = attempt(0, left());
  while (IsBroken(status) && !stop.stop_requested()) {
    if (idle == options.attempts_max || steady_clock::now() + wait >= end) {
      return status;
    }
    if (idle++ == 0 && options.on_break) {
      options.on_break(status);
    }
    WaitUnlessStopped(wait, stop);
    wait = std::min(wait * 2, kWaitMax);
    const absl::StatusOr<std::int64_t> offset = received(std::min(left(), kAskMax));
    if (!offset.ok()) {
      status = offset.status();
      continue;
    }
    if (*offset > furthest) {
      furthest = *offset;
      idle = 0;
      wait = options.first_wait;
    }
    if (options.on_resume) {
      options.on_resume(*offset);
    }
    status = attempt(*offset, left());
  }
  return stop.stop_requested() && !status.ok() ? Cancelled("the upload was stopped") : status;
}

}  // namespace millrace::transfer
