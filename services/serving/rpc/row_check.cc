#include "services/serving/rpc/row_check.h"

#include <algorithm>

#include "common/status/status.h"

namespace millrace::serving {

namespace {

// Lineage, class names and what else an answer has once.
constexpr std::int64_t kHeadBytes = std::int64_t{64} << 10;

}  // namespace

absl::Status CheckRows(const Predictor& predictor, std::int64_t rows, const ServingParts& parts) {
  if (rows < 1 || rows > parts.rows_max) {
    return InvalidArgument("a request must have 1 to {} rows, found {}", parts.rows_max, rows);
  }
  const std::int64_t fit = std::max<std::int64_t>(
      (parts.answer_bytes_max - kHeadBytes) / predictor.answer_bytes_max(), 1);
  if (rows > fit) {
    return WithFix(InvalidArgument("the answer to {} rows of {} classes would not fit a message of "
                                   "{} bytes",
                                   rows,
                                   predictor.answer_count(),
                                   parts.answer_bytes_max),
                   fmt::format("ask for {} rows at most, or raise server.message_bytes_max of the "
                               "serving service",
                               fit));
  }
  return absl::OkStatus();
}

}  // namespace millrace::serving
