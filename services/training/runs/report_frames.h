// ReportFrames: a byte stream taken apart into a worker's reports.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/training/v1/worker.pb.h"

namespace millrace::training {

/// Bytes that one report may have: many times the largest one, an epoch with a confusion matrix.
constexpr std::size_t kReportBytesMax = std::size_t{1} << 20;

/// Collects bytes as they come and gives each report once it is complete. Reports are
/// length-delimited: the size as a varint, then the message. Not thread-safe.
class ReportFrames {
 public:
  /// All reports that `bytes` complete, so that they can be stored in one commit. DATA_LOSS when
  /// what comes is no report or over kReportBytesMax; nothing can be read after that.
  absl::StatusOr<std::vector<v1::WorkerReport>> Take(std::string_view bytes);

  /// Whether the stream may end here.
  [[nodiscard]] bool empty() const { return buffer_.empty(); }

 private:
  std::string buffer_;
};

}  // namespace millrace::training
