#include "common/statistics/quantile_sketch.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <hwy/contrib/sort/vqsort.h>

namespace millrace::statistics {

namespace {

constexpr std::int64_t kCoinSeed = 2016;
constexpr std::size_t kCapacityMin = 64;  // of the lowest levels; few sorts of few numbers

}  // namespace

QuantileSketch::QuantileSketch() : levels_(1), coins_(kCoinSeed) {}

void QuantileSketch::Add(std::span<const double> numbers) {
  count_ += static_cast<std::int64_t>(numbers.size());
  range_.Add(numbers);
  while (!numbers.empty()) {
    std::vector<double>& lowest = levels_.front();
    const std::span<const double> some =
        numbers.first(std::min(numbers.size(), lowest_capacity_ + 1 - lowest.size()));
    lowest.resize(lowest.size() + some.size());
    std::transform(
        some.begin(),
        some.end(),
        lowest.end() - static_cast<std::ptrdiff_t>(some.size()),
        [](double number) { return number + 0.0; });  // -0 becomes 0: equal numbers are one
    if (lowest.size() > lowest_capacity_) {
      Compress();
    }
    numbers = numbers.subspan(some.size());
  }
}

void QuantileSketch::Merge(const QuantileSketch& other) {
  count_ += other.count_;
  range_.Merge(other.range_);
  if (levels_.size() < other.levels_.size()) {
    levels_.resize(other.levels_.size());
  }
  for (std::size_t i = 0; i < other.levels_.size(); ++i) {
    levels_[i].insert(levels_[i].end(), other.levels_[i].begin(), other.levels_[i].end());
  }
  Compress();
}

// The top level holds the most; each one below two thirds of the one above it.
std::size_t QuantileSketch::Capacity(std::size_t level) const {
  std::size_t capacity = kExactMax;
  for (std::size_t depth = levels_.size() - 1 - level; depth > 0; --depth) {
    capacity = capacity * 2 / 3;
  }
  return std::max(kCapacityMin, capacity);
}

// Compacts every level that is over its capacity, lowest first.
void QuantileSketch::Compress() {
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    if (levels_[level].size() > Capacity(level)) {
      if (level + 1 == levels_.size()) {
        levels_.emplace_back();
      }
      Compact(level);
    }
  }
  lowest_capacity_ = Capacity(0);
}

// Moves every second number, in order, one level up, where it stands for both; a coin says which.
// Of an odd number of them the last stays.
void QuantileSketch::Compact(std::size_t level) {
  // Highway's quicksort: few numbers, very often. Merging sorted levels would take twice as long.
  thread_local const hwy::Sorter sorter;
  std::vector<double>& numbers = levels_[level];
  std::vector<double>& above = levels_[level + 1];
  const std::size_t even = numbers.size() - numbers.size() % 2;
  sorter(numbers.data(), even, hwy::SortAscending());
  for (std::size_t i = coins_.Next() % 2; i < even; i += 2) {
    above.push_back(numbers[i]);
  }
  numbers.erase(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(even));
}

std::vector<double> QuantileSketch::Quantiles(const std::vector<double>& shares) const {
  std::vector<std::pair<double, double>> weighted;  // number, how many it stands for
  double total = 0;
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    const double weight = std::ldexp(1.0, static_cast<int>(level));
    for (const double number : levels_[level]) {
      weighted.emplace_back(number, weight);
      total += weight;
    }
  }
  std::sort(weighted.begin(), weighted.end());
  std::vector<double> answers;
  for (const double share : shares) {
    const double wanted = share * total;
    double passed = 0;
    double answer = range_.maximum;
    for (const auto& [number, weight] : weighted) {
      passed += weight;
      if (passed >= wanted) {
        answer = number;
        break;
      }
    }
    answers.push_back(share <= 0 ? range_.minimum : share >= 1 ? range_.maximum : answer);
  }
  return answers;
}

}  // namespace millrace::statistics
