// PredictDataset: a model's answers for a whole dataset version, as a dataset of its own.

#pragma once

#include <string>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "clients/cli/shell.h"
#include "clients/cli/verb.h"

namespace millrace::cli {

/// What is to be predicted, and what takes the answers.
struct DatasetWords {
  std::string dataset;
  std::string into;
  Consent consent;
};

/// Adds `--dataset`, `--into` and `--dry-run`.
void AddDatasetFlags(CLI::App& verb, DatasetWords& words);

/// Streams all rows of the dataset version through `version`, in memory for a batch, and imports
/// the answers: the row's place in the dataset, counted from 0, then the predicted class and one
/// probability a class, or the value.
///
/// Answers are kept in a file of the user's until they are imported. Interrupted at any moment and
/// called again, it goes on behind the last batch that was answered, and ends with the same bytes.
/// One process at a time: FAILED_PRECONDITION when another one is at the same work.
absl::Status PredictDataset(const DatasetWords& words,
                            const serving::v1::ModelVersion& version,
                            Shell& shell);

}  // namespace millrace::cli
