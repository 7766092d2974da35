#include "common/statistics/histogram.h"

#include <algorithm>

#include "common/status/check.h"

namespace millrace::statistics {

Histogram::Histogram(double minimum, double maximum)
    : minimum_(minimum),
      half_width_(maximum / 2 - minimum / 2) {}

void Histogram::Add(double number) {
  const double share = half_width_ > 0 ? (number / 2 - minimum_ / 2) / half_width_ : 0;
  const auto bin = static_cast<std::size_t>(std::clamp(share * kBins, 0.0, kBins - 1.0));
  ++counts_.at(bin);
}

void Histogram::Merge(const Histogram& other) {
  CHECK(minimum_ == other.minimum_ && half_width_ == other.half_width_);
  for (std::size_t bin = 0; bin < counts_.size(); ++bin) {
    counts_[bin] += other.counts_[bin];
  }
}

}  // namespace millrace::statistics
