#include "common/transfer/idle_watch.h"

#include <algorithm>
#include <stop_token>
#include <utility>
#include <vector>

#include "common/patience/patience.h"
#include "common/status/status.h"

namespace millrace::transfer {

namespace {

using std::chrono::milliseconds;

// A stream is ended so much later at the most, as a part of the time that it may wait.
constexpr int kLooks = 8;
constexpr milliseconds kLookMin{1};

}  // namespace

IdleWatch::IdleWatch(milliseconds idle_max)
    : idle_max_(idle_max),
      thread_([this](const std::stop_token& stop) {
        const milliseconds period = std::max(idle_max_ / kLooks, kLookMin);
        while (WaitUnlessStopped(period, stop)) {
          EndIdle();
        }
      }) {}

void IdleWatch::EndIdle() {
  const Time latest = std::chrono::steady_clock::now() - idle_max_;
  std::vector<std::function<void(const absl::Status&)>> ended;
  {
    const std::lock_guard lock(mutex_);
    for (Stream* const stream : streams_) {
      if (stream->since_.has_value() && *stream->since_ <= latest) {
        stream->since_.reset();
        ended.push_back(stream->on_idle_);
      }
    }
  }
  // Without the lock: the end of a call may destroy its stream here.
  for (const auto& end : ended) {
    end(WithFix(absl::DeadlineExceededError(fmt::format(
                    "no message came for {} s", std::chrono::duration<double>(idle_max_).count())),
                "send the next message sooner; an upload with an upload_id goes on where it is"));
  }
}

IdleWatch::Stream::Stream(IdleWatch& watch, std::function<void(const absl::Status&)> on_idle)
    : watch_(watch),
      on_idle_(std::move(on_idle)) {
  const std::lock_guard lock(watch_.mutex_);
  watch_.streams_.insert(this);
}

IdleWatch::Stream::~Stream() {
  const std::lock_guard lock(watch_.mutex_);
  watch_.streams_.erase(this);
}

void IdleWatch::Stream::Waits() {
  const std::lock_guard lock(watch_.mutex_);
  since_ = std::chrono::steady_clock::now();
}

bool IdleWatch::Stream::Came() {
  const std::lock_guard lock(watch_.mutex_);
  return std::exchange(since_, std::nullopt).has_value();
}

}  // namespace millrace::transfer
