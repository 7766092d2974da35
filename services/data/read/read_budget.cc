#include "services/data/read/read_budget.h"

#include <chrono>

#include "common/status/status.h"

namespace millrace::data {

namespace {

constexpr std::chrono::seconds kRetry{5};

}  // namespace

absl::StatusOr<ReadBudget::Share> ReadBudget::Take(std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (taken_bytes_ > 0 && bytes > bytes_max_ - taken_bytes_) {
    return WithRetry(
        WithFix(ResourceExhausted("a reader of about {} bytes has no place: open readers have {} "
                                  "bytes of {} (limits.readers_bytes_max)",
                                  bytes,
                                  taken_bytes_,
                                  bytes_max_),
                "read again when another reader has ended"),
        kRetry);
  }
  taken_bytes_ += bytes;
  return Share(*this, bytes);
}

std::int64_t ReadBudget::taken_bytes() const {
  const std::lock_guard lock(mutex_);
  return taken_bytes_;
}

void ReadBudget::Share::Resize(std::int64_t bytes) {
  if (budget_ != nullptr) {
    const std::lock_guard lock(budget_->mutex_);
    budget_->taken_bytes_ += bytes - bytes_;
    bytes_ = bytes;
  }
}

}  // namespace millrace::data
