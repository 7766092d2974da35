// NumberBlock: numbers that come one by one and are looked at many at a time.

#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace millrace::statistics {

/// Gathers up to kSize numbers. Loops over a block have no branches and become vectors; and since
/// every block but the last is full, what is made of them does not depend on the pieces in which
/// the numbers came. Not thread-safe.
class NumberBlock {
 public:
  static constexpr std::size_t kSize = 1024;

  /// Adds `number` where `wanted`, and says whether the block is full. Requires: it was not.
  bool Add(double number, bool wanted = true) {
    numbers_[size_] = number;
    size_ += wanted ? 1 : 0;
    return size_ == kSize;
  }

  /// What was added, until the next number is; the block is empty afterwards.
  std::span<const double> Take() {
    const std::span<const double> taken(numbers_.data(), size_);
    size_ = 0;
    return taken;
  }

 private:
  std::array<double, kSize> numbers_{};
  std::size_t size_ = 0;
};

}  // namespace millrace::statistics
