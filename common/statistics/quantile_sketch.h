// QuantileSketch: what number stands at a given share of the sorted numbers, in bounded memory.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/clock/random.h"
#include "common/statistics/range.h"

namespace millrace::statistics {

/// The KLL sketch (Karnin, Lang and Liberty, "Optimal quantile approximation in streams", 2016).
/// Exact up to kExactMax numbers; above, the rank of an answer is off by about 0.1 % of the count.
/// Its coins come from a fixed seed: the same numbers in the same order give the same answers.
/// Takes at most about 60 KiB. Not thread-safe.
class QuantileSketch {
 public:
  static constexpr std::size_t kExactMax = 2048;

  QuantileSketch();

  /// The pieces in which numbers come make no difference. Requires: not NaN.
  void Add(std::span<const double> numbers);

  /// As if the numbers that `other` was given had been added here, with the same bound on the
  /// error.
  void Merge(const QuantileSketch& other);

  [[nodiscard]] std::int64_t count() const { return count_; }

  /// The smallest number that at least the share `q` of all numbers do not exceed; exactly the
  /// smallest and the largest number at 0 and 1. One answer for each of `shares`, in [0, 1].
  /// Requires: count() > 0.
  [[nodiscard]] std::vector<double> Quantiles(const std::vector<double>& shares) const;

 private:
  [[nodiscard]] std::size_t Capacity(std::size_t level) const;
  void Compress();
  void Compact(std::size_t level);

  std::int64_t count_ = 0;
  Range range_;
  std::vector<std::vector<double>> levels_;  // a number in level i stands for 2^i
  std::size_t lowest_capacity_ = kExactMax;  // of level 0
  Random coins_;
};

}  // namespace millrace::statistics
