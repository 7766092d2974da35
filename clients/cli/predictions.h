// Predictions: asked for a batch at a time, and shown while they come.

#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "clients/cli/output.h"
#include "clients/cli/shell.h"
#include "clients/cli/table.h"

namespace millrace::cli {

/// The answers for one batch, one a row. INTERNAL when there are more or fewer.
absl::StatusOr<serving::v1::PredictResponse> PredictBatch(
    Shell& shell,
    const serving::v1::PredictRequest& request);

/// Prints answers batch by batch, as one document in every form: as JSON and YAML one
/// PredictResponse. Holds one batch. Not thread-safe.
class PredictionWriter {
 public:
  /// `label` is the column that holds the truth, where rows have it. Does not own `shell`.
  PredictionWriter(Shell& shell, std::string label);

  void Take(const serving::v1::PredictRequest& request,
            const serving::v1::PredictResponse& response);

  /// What comes after the last batch. Requires: there was one.
  void Finish();

 private:
  [[nodiscard]] std::string Opening(const serving::v1::PredictResponse& response) const;
  [[nodiscard]] std::string Items(const serving::v1::PredictResponse& response) const;
  void AddRows(const serving::v1::PredictRequest& request,
               const serving::v1::PredictResponse& response);

  Shell& shell_;
  std::string label_;
  Table table_;
  bool known_ = false;        // whether the rows of the first batch have the truth
  std::int64_t rows_ = 0;     // that were taken
  std::int64_t right_ = 0;    // of them
  bool has_classes_ = false;  // whether right and wrong mean something
  model::v1::Lineage lineage_;
};

}  // namespace millrace::cli
