#include "common/statistics/moments.h"

#include <algorithm>
#include <cmath>

namespace millrace::statistics {

void Moments::Merge(const Moments& other) {
  if (other.count_ == 0) {
    return;
  }
  const auto ours = static_cast<double>(count_);
  const auto theirs = static_cast<double>(other.count_);
  const double delta = other.mean_ - mean_;
  count_ += other.count_;
  mean_ += delta * (theirs / (ours + theirs));
  squares_ += other.squares_ + delta * delta * (ours * theirs / (ours + theirs));
  minimum_ = std::min(minimum_, other.minimum_);
  maximum_ = std::max(maximum_, other.maximum_);
}

double Moments::StandardDeviation() const {
  return count_ == 0 ? 0 : std::sqrt(squares_ / static_cast<double>(count_));
}

}  // namespace millrace::statistics
