#include "common/statistics/histogram.h"

#include "common/status/check.h"

namespace millrace::statistics {

Histogram::Histogram(double minimum, double maximum)
    : minimum_(minimum),
      half_width_(maximum / 2 - minimum / 2) {}

void Histogram::Merge(const Histogram& other) {
  CHECK(minimum_ == other.minimum_ && half_width_ == other.half_width_);
  for (std::size_t bin = 0; bin < counts_.size(); ++bin) {
    counts_[bin] += other.counts_[bin];
  }
}

}  // namespace millrace::statistics
