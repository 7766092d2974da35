// ReadBudget: the memory that open readers may have together.

#pragma once

#include <cstdint>
#include <mutex>
#include <utility>

#include <absl/status/statusor.h>

namespace millrace::data {

/// Thread-safe; outlives its shares.
class ReadBudget {
 public:
  explicit ReadBudget(std::int64_t bytes_max) : bytes_max_(bytes_max) {}

  /// What one reader has; given back when it goes. Not thread-safe. A default one is of nothing.
  class Share {
   public:
    Share() = default;

    ~Share() { Resize(0); }

    Share(Share&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)),
          bytes_(std::exchange(other.bytes_, 0)) {}

    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }

    /// Says what it really takes. Not refused: it is there already.
    void Resize(std::int64_t bytes);

   private:
    friend class ReadBudget;

    Share(ReadBudget& budget, std::int64_t bytes) : budget_(&budget), bytes_(bytes) {}

    ReadBudget* budget_ = nullptr;
    std::int64_t bytes_ = 0;
  };

  /// A share of about `bytes`, before they are taken. RESOURCE_EXHAUSTED when others leave too
  /// little; a reader that is alone may have more than all, or a large version could not be read.
  absl::StatusOr<Share> Take(std::int64_t bytes);

  [[nodiscard]] std::int64_t taken_bytes() const;

 private:
  const std::int64_t bytes_max_;
  mutable std::mutex mutex_;
  std::int64_t taken_bytes_ = 0;  // guarded by mutex_
};

}  // namespace millrace::data
