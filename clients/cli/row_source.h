// RowSource: raw rows for predictions, a batch at a time, in memory for a batch.

#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/serving/v1/serving_service.pb.h"

namespace millrace::cli {

/// What one batch may hold. It ends with the row that reaches either.
struct BatchLimits {
  int rows_max = 1024;                           // of the 4,096 that a call may have
  std::size_t bytes_max = std::size_t{1} << 20;  // of the 4 MiB of a message
};

/// Limits under which an answer of one probability for each of `classes` fits a message too, and of
/// at most `rows_max` rows.
BatchLimits LimitsFor(int classes, int rows_max = BatchLimits().rows_max);

/// Rows in their order. Not thread-safe.
class RowSource {
 public:
  virtual ~RowSource() = default;

  /// Replaces the columns and rows of `request` by those of the next batch; no rows at the end.
  /// INVALID_ARGUMENT with file and place for what cannot be read.
  virtual absl::Status Next(const BatchLimits& limits, serving::v1::PredictRequest& request) = 0;

  /// Bytes that were read, of size_bytes().
  [[nodiscard]] virtual std::int64_t read_bytes() const = 0;

  /// 0 when that is not known.
  [[nodiscard]] virtual std::int64_t size_bytes() const = 0;
};

/// How rows are written down. JSON is an array of objects, or objects one after the other.
enum class RowForm { kCsv, kJson };

/// Cells of CSV are taken as they stand, under the names of the header. Of JSON, texts and numbers
/// are taken as their text, true and false as such, null and what an object lacks as missing.
struct RowOptions {
  RowForm form = RowForm::kCsv;
  char delimiter = ',';  // of CSV; neither a quote nor a line's end
};

/// The form that the file's name tells: .json, .jsonl and .ndjson are JSON, else CSV.
RowForm FormOf(std::string_view path);

/// Opens the file at `path`, or with `-` takes `standard_input`, which must outlive the result.
absl::StatusOr<std::unique_ptr<RowSource>> OpenRows(const std::string& path,
                                                    const RowOptions& options,
                                                    std::istream& standard_input);

}  // namespace millrace::cli
