// Median: of more numbers than memory holds.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace millrace::data {

/// Takes some of the numbers.
using NumberSink = absl::FunctionRef<void(std::span<const double>)>;

/// Gives every number to a sink, the same ones each time.
using NumberSource = absl::FunctionRef<absl::Status(NumberSink)>;

/// Counts numbers by their leading bits, in an order that is that of the numbers.
class LeadingCounts {
 public:
  LeadingCounts();

  /// Requires: finite.
  void Add(std::span<const double> numbers);

  [[nodiscard]] std::int64_t count() const { return count_; }

 private:
  friend absl::StatusOr<double> Median(const LeadingCounts& counts, NumberSource numbers);

  std::vector<std::int64_t> counts_;
  std::int64_t count_ = 0;
};

/// The mean of the middle two, or the one in the middle, exactly. Looks at the numbers once more
/// where few share their leading bits with the middle ones, up to three times more where many do.
/// Takes at most about 10 MiB. Requires: `counts` has the same numbers, at least one.
absl::StatusOr<double> Median(const LeadingCounts& counts, NumberSource numbers);

}  // namespace millrace::data
