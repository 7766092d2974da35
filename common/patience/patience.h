// Patience: something is done again and again while what keeps it from succeeding passes by itself.

#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include <absl/status/status.h>

namespace millrace {

/// Waits that double from one attempt to the next. Not thread-safe.
class Backoff {
 public:
  struct Options {
    std::chrono::milliseconds first{1'000};
    std::chrono::milliseconds longest{60'000};
  };

  explicit Backoff(const Options& options) : options_(options), next_(options.first) {}

  /// How long to wait after an attempt that ended with `status`: longer than after the one before,
  /// and as long as the peer asked for (RetryAfter()), up to the longest.
  std::chrono::milliseconds Next(const absl::Status& status);

  /// The next wait is the first one again.
  void Reset() { next_ = options_.first; }

 private:
  Options options_;
  std::chrono::milliseconds next_;
};

/// Waits for `time`, or until `stop` is requested. Returns whether to go on: false once it is.
bool WaitUnlessStopped(std::chrono::milliseconds time, const std::stop_token& stop);

/// What a worker has for peers that are away. Not thread-safe.
class Patience {
 public:
  struct Options {
    Backoff::Options waits{.first = std::chrono::milliseconds(200),
                           .longest = std::chrono::milliseconds(5'000)};

    // Longest time from the first failure in a row on. More keeps others waiting.
    std::chrono::milliseconds limit{60'000};
  };

  /// Told why it waits whenever that changes, and nothing ("") once it does not wait any more. An
  /// error ends the waiting with it.
  using Teller = std::function<absl::Status(const std::string& reason)>;

  Patience(const Options& options, Teller tell, std::stop_token stop)
      : options_(options),
        tell_(std::move(tell)),
        stop_(std::move(stop)) {}

  /// What was tried. `reason` is set where the error passes by itself, and says what is waited for.
  struct Attempt {
    absl::Status status;
    std::string reason = {};
  };

  /// Calls `work` until it succeeds, fails by something that does not pass, or the time is over,
  /// and returns its last status: see gave_up(). CANCELLED when `stop` is requested.
  absl::Status Try(const std::function<Attempt()>& work);

  /// Whether the last Try() failed because its time was over.
  [[nodiscard]] bool gave_up() const { return gave_up_; }

  /// What was waited for last; empty: nothing.
  [[nodiscard]] const std::string& reason() const { return *told_; }

 private:
  absl::Status Tell(const std::string& reason);

  const Options options_;
  const Teller tell_;
  const std::stop_token stop_;
  std::optional<std::string> told_;
  bool gave_up_ = false;
};

}  // namespace millrace
