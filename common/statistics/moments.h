// Moments: count, mean, deviation and range of numbers, in one pass.

#pragma once

#include <cstdint>
#include <span>

#include "common/statistics/range.h"

namespace millrace::statistics {

/// Sums of pieces, which merge by Chan, Golub and LeVeque's formula ("Algorithms for computing the
/// sample variance", 1983). Not thread-safe.
class Moments {
 public:
  /// Up to rounding, the pieces in which numbers come make no difference. Requires: finite.
  void Add(std::span<const double> numbers);

  /// As if every number that `other` was given had been added here, up to rounding.
  void Merge(const Moments& other);

  [[nodiscard]] std::int64_t count() const { return count_; }

  /// The rest have no meaning while count() is 0.
  [[nodiscard]] double mean() const { return mean_; }

  [[nodiscard]] double minimum() const { return range_.minimum; }

  [[nodiscard]] double maximum() const { return range_.maximum; }

  /// Population standard deviation: divides by the count.
  [[nodiscard]] double StandardDeviation() const;

 private:
  void AddOne(double number);

  std::int64_t count_ = 0;
  double mean_ = 0;
  double squares_ = 0;  // the sum of squared distances from the mean
  Range range_;
};

}  // namespace millrace::statistics
