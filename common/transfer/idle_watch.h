// IdleWatch: ends streams of uploads that nobody sends on.

#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include <absl/status/status.h>

namespace millrace::transfer {

/// Watches the streams of a service, so that one that waits for its next message too long can be
/// ended: a connected client that does nothing would keep it for ever. Thread-safe; outlives its
/// streams.
class IdleWatch {
 public:
  /// `idle_max` is the longest time that a stream may wait for a message.
  explicit IdleWatch(std::chrono::milliseconds idle_max);
  IdleWatch(const IdleWatch&) = delete;
  IdleWatch& operator=(const IdleWatch&) = delete;

  class Stream;

 private:
  using Time = std::chrono::steady_clock::time_point;

  void EndIdle();

  const std::chrono::milliseconds idle_max_;
  std::mutex mutex_;
  std::set<Stream*> streams_;  // guarded by mutex_
  std::jthread thread_;        // last: it uses all of the above
};

/// One stream: `Waits()` before each read, `Came()` when the read is done.
class IdleWatch::Stream {
 public:
  /// `on_idle` is called at most once, on the watch's thread, with the status that the call ends
  /// with: it hands that on to another thread. Until it has ended the call, the stream lives.
  Stream(IdleWatch& watch, std::function<void(const absl::Status&)> on_idle);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// From now on it waits for a message.
  void Waits();

  /// A message has come, or the stream has ended. False when `on_idle` was called before: then the
  /// call is being ended already.
  bool Came();

 private:
  friend class IdleWatch;

  IdleWatch& watch_;
  const std::function<void(const absl::Status&)> on_idle_;
  std::optional<Time> since_;  // guarded by the watch's mutex; while it waits
};

}  // namespace millrace::transfer
