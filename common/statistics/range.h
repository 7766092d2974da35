// Range: the smallest and the largest of numbers.

#pragma once

#include <limits>
#include <span>

namespace millrace::statistics {

/// Has no meaning until a number was added. Not thread-safe.
struct Range {
  double minimum = std::numeric_limits<double>::infinity();
  double maximum = -std::numeric_limits<double>::infinity();

  /// Requires: not NaN.
  void Add(std::span<const double> numbers) {
    for (const double number : numbers) {
      minimum = number < minimum ? number : minimum;
      maximum = number > maximum ? number : maximum;
    }
  }

  /// As if every number that `other` was given had been added here.
  void Merge(const Range& other) {
    minimum = other.minimum < minimum ? other.minimum : minimum;
    maximum = other.maximum > maximum ? other.maximum : maximum;
  }
};

}  // namespace millrace::statistics
