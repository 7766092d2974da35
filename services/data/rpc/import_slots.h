// ImportSlots: how many imports may be worked on or wait for it.

#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include <absl/status/statusor.h>

#include "common/status/status.h"

namespace millrace::data {

/// Counts imports from their close to their end: those that are sent take no slot. Thread-safe.
class ImportSlots {
 public:
  explicit ImportSlots(int slots_max) : slots_max_(slots_max) {}

  /// Gives its place back when the last copy dies; must not outlive the slots.
  using Slot = std::shared_ptr<void>;

  /// RESOURCE_EXHAUSTED when all are taken.
  absl::StatusOr<Slot> Take() {
    if (taken_.fetch_add(1) >= slots_max_) {
      taken_.fetch_sub(1);
      return Full();
    }
    return Slot(nullptr, [this](std::nullptr_t) { taken_.fetch_sub(1); });
  }

  /// What Take() would say now: so that one too many is refused before it has sent its bytes.
  [[nodiscard]] absl::Status Check() const {
    return taken_.load() >= slots_max_ ? Full() : absl::OkStatus();
  }

 private:
  [[nodiscard]] absl::Status Full() const {
    return WithRetry(
        WithFix(ResourceExhausted("{} imports are under way already", slots_max_),
                "try again when one of them has ended; what was sent of a named upload stays"),
        std::chrono::seconds(10));
  }

  const int slots_max_;
  std::atomic<int> taken_{0};
};

}  // namespace millrace::data
