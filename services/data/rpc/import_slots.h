// ImportSlots: how many imports may be under way.

#pragma once

#include <atomic>
#include <memory>

#include <absl/status/statusor.h>

#include "common/status/status.h"

namespace millrace::data {

/// Counts imports from their header to their end, so that one too many is refused before it has
/// sent its bytes. Thread-safe.
class ImportSlots {
 public:
  explicit ImportSlots(int slots_max) : slots_max_(slots_max) {}

  /// Gives its place back when the last copy dies; must not outlive the slots.
  using Slot = std::shared_ptr<void>;

  /// RESOURCE_EXHAUSTED when all are taken.
  absl::StatusOr<Slot> Take() {
    if (taken_.fetch_add(1) >= slots_max_) {
      taken_.fetch_sub(1);
      return WithFix(ResourceExhausted("{} imports are under way already", slots_max_),
                     "try again when one of them has ended");
    }
    return Slot(nullptr, [this](std::nullptr_t) { taken_.fetch_sub(1); });
  }

 private:
  const int slots_max_;
  std::atomic<int> taken_{0};
};

}  // namespace millrace::data
