// ExamplesCache: the versions that were read last, in memory.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include <absl/status/statusor.h>

#include "services/data/read/examples.h"

namespace millrace::data {

struct ExamplesCacheLimits {
  std::size_t versions_max = 4;
  std::int64_t bytes_max = std::int64_t{1} << 30;  // the newest one is kept even if it is larger
};

/// Keeps the newest few of what was asked for, and loads each once however many ask at the same
/// time: the others wait for it. What readers still hold lives on without it. Thread-safe.
class ExamplesCache {
 public:
  using Load = std::function<absl::StatusOr<std::shared_ptr<const Examples>>()>;

  explicit ExamplesCache(ExamplesCacheLimits limits) : limits_(limits) {}

  /// The examples of `sha256`, by `load` when they are not there. An error is not kept.
  absl::StatusOr<std::shared_ptr<const Examples>> Get(const std::string& sha256, const Load& load);

  /// Forgets all; what readers hold lives on.
  void Clear();

 private:
  struct Slot {
    std::string sha256;
    std::mutex loading;
    std::shared_ptr<const Examples> examples;  // guarded by loading
    std::int64_t size_bytes = 0;               // guarded by mutex_; 0 until loaded
  };

  std::shared_ptr<Slot> SlotOf(const std::string& sha256);
  void Remove(const Slot& slot);
  void Shrink();

  const ExamplesCacheLimits limits_;
  std::mutex mutex_;
  std::list<std::shared_ptr<Slot>> slots_;  // guarded by mutex_; last asked for first
};

}  // namespace millrace::data
