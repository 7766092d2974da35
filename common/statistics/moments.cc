#include "common/statistics/moments.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace millrace::statistics {

namespace {

template <std::size_t kLanes>
double SumOf(const std::array<double, kLanes>& lanes) {
  return std::accumulate(lanes.begin(), lanes.end(), 0.0);
}

}  // namespace

// Welford's recurrence ("Note on a method for calculating corrected sums of squares and products",
// 1962), whose terms are no larger than the numbers.
void Moments::AddOne(double number) {
  ++count_;
  const double delta = number - mean_;
  mean_ += delta / static_cast<double>(count_);
  squares_ += delta * (number - mean_);
  range_.Add({&number, 1});
}

void Moments::Add(std::span<const double> numbers) {
  // Sums side by side, which the compiler puts into the lanes of a vector.
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> sums{};
  Moments block;
  block.count_ = static_cast<std::int64_t>(numbers.size());
  const std::size_t even = numbers.size() - numbers.size() % kLanes;
  for (std::size_t i = 0; i < even; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += numbers[i + lane];
    }
  }
  const double sum = std::accumulate(
      numbers.begin() + static_cast<std::ptrdiff_t>(even), numbers.end(), SumOf(sums));
  if (!std::isfinite(sum)) {  // the numbers are finite, their sum is too large
    std::for_each(numbers.begin(), numbers.end(), [this](double number) { AddOne(number); });
    return;
  }
  block.mean_ = numbers.empty() ? 0 : sum / static_cast<double>(numbers.size());
  sums = {};
  for (std::size_t i = 0; i < even; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double distance = numbers[i + lane] - block.mean_;
      sums[lane] += distance * distance;
    }
  }
  block.squares_ = SumOf(sums);
  for (std::size_t i = even; i < numbers.size(); ++i) {
    block.squares_ += (numbers[i] - block.mean_) * (numbers[i] - block.mean_);
  }
  block.range_.Add(numbers);
  Merge(block);
}

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
  range_.Merge(other.range_);
}

double Moments::StandardDeviation() const {
  return count_ == 0 ? 0 : std::sqrt(squares_ / static_cast<double>(count_));
}

}  // namespace millrace::statistics
