// Moments: count, mean, deviation and range of numbers, in one pass.

#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace millrace::statistics {

/// Welford's recurrence ("Note on a method for calculating corrected sums of squares and products",
/// 1962); two of them merge by Chan, Golub and LeVeque's formula (1983). Not thread-safe.
class Moments {
 public:
  void Add(double number) {
    ++count_;
    const double delta = number - mean_;
    mean_ += delta / static_cast<double>(count_);
    squares_ += delta * (number - mean_);
    minimum_ = std::min(minimum_, number);
    maximum_ = std::max(maximum_, number);
  }

  /// As if every number that `other` was given had been added here, up to rounding.
  void Merge(const Moments& other);

  [[nodiscard]] std::int64_t count() const { return count_; }

  /// The rest have no meaning while count() is 0.
  [[nodiscard]] double mean() const { return mean_; }

  [[nodiscard]] double minimum() const { return minimum_; }

  [[nodiscard]] double maximum() const { return maximum_; }

  /// Population standard deviation: divides by the count.
  [[nodiscard]] double StandardDeviation() const;

 private:
  std::int64_t count_ = 0;
  double mean_ = 0;
  double squares_ = 0;  // the sum of squared distances from the mean
  double minimum_ = std::numeric_limits<double>::infinity();
  double maximum_ = -std::numeric_limits<double>::infinity();
};

}  // namespace millrace::statistics
