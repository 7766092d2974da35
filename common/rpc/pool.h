// Pool: threads for work that a reactor must not do itself.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include <absl/status/status.h>

namespace millrace::rpc {

/// Runs submitted work on a fixed number of threads, first come first served. Bounded: a full queue
/// refuses at once. An exception ends the work that threw it and no other. Thread-safe.
class Pool {
 public:
  /// `queue_max` counts work that waits, not what runs.
  Pool(int threads, std::size_t queue_max);

  /// Runs everything that was accepted, then ends.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// RESOURCE_EXHAUSTED when the queue is full.
  absl::Status Submit(std::function<void()> work);

  /// Work that waits or runs.
  [[nodiscard]] std::size_t load() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::rpc
