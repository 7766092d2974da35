#include "common/statistics/histogram.h"

namespace millrace::statistics {

Histogram::Histogram(double minimum, double maximum)
    : minimum_(minimum),
      half_width_(maximum / 2 - minimum / 2) {}

void Histogram::Add(std::span<const double> numbers) {
  constexpr std::size_t kLanes = 4;  // counts side by side: one must not wait for the other
  std::array<std::array<std::int64_t, kBins>, kLanes> counts{};
  std::array<int, 256> bins{};
  while (!numbers.empty()) {
    const std::span<const double> some = numbers.first(std::min(numbers.size(), bins.size()));
    for (std::size_t i = 0; i < some.size(); ++i) {
      bins[i] = BinOf(some[i]);
    }
    for (std::size_t i = 0; i < some.size(); ++i) {
      ++counts[i % kLanes][static_cast<std::size_t>(bins[i])];
    }
    numbers = numbers.subspan(some.size());
  }
  for (const std::array<std::int64_t, kBins>& lane : counts) {
    for (std::size_t bin = 0; bin < kBins; ++bin) {
      counts_[bin] += lane[bin];
    }
  }
}

}  // namespace millrace::statistics
