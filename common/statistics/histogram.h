// Histogram: how many numbers fall into each of some equally wide bins.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::statistics {

/// Ten bins over [minimum, maximum], each with its lower end; the last with both. Not thread-safe.
class Histogram {
 public:
  static constexpr int kBins = 10;

  /// Requires: finite, minimum <= maximum. Where they are equal, all numbers fall into the first.
  Histogram(double minimum, double maximum);

  /// Requires: minimum <= each of `numbers` <= maximum.
  void Add(std::span<const double> numbers);

  [[nodiscard]] const std::array<std::int64_t, kBins>& counts() const { return counts_; }

 private:
  [[nodiscard]] int BinOf(double number) const {
    const double share = half_width_ > 0 ? (number / 2 - minimum_ / 2) / half_width_ : 0;
    return static_cast<int>(std::clamp(share * kBins, 0.0, kBins - 1.0));
  }

  double minimum_;
  double half_width_;  // of the range; halves cannot overflow
  std::array<std::int64_t, kBins> counts_{};
};

}  // namespace millrace::statistics
