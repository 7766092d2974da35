// Pipeline: import → profile → clean → split → fit over one upload.

#pragma once

#include <cstdint>
#include <stop_token>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/schema/v1/statistics.pb.h"
#include "millrace/schema/v1/transforms.pb.h"

#include "common/features/table.h"
#include "services/data/import/staged_file.h"

namespace millrace::data {

/// Everything that a dataset version is made of.
struct ImportResult {
  /// The cleaned rows in the order of the file. Its schema names the columns that were set aside as
  /// well; their cells are kept. Dictionaries hold only texts that a row has, in order of first
  /// appearance.
  features::Table table;

  /// Rows of `table`, ascending. Every row is in exactly one of the three.
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;
  std::vector<std::int64_t> test;

  /// Fitted on `train`.
  schema::v1::TransformSet transforms;

  /// Of the file as it came, and of each split after cleaning.
  schema::v1::Statistics raw_statistics;
  schema::v1::Statistics train_statistics;
  schema::v1::Statistics validation_statistics;
  schema::v1::Statistics test_statistics;

  /// What cleaning and imputing did.
  std::vector<v1::CleaningEffect> effects;

  /// The options with every detected and every default value filled in. Importing the same bytes
  /// with these gives the same cells, types, splits and encodings; only the columns' reasons
  /// differ.
  v1::ImportOptions options;
};

/// Runs every step over one upload. `header.options` need not be valid; `header.file_name` stands
/// in messages. The result depends on the bytes and the options alone, never on how `file` is read.
///
/// Fails with INVALID_ARGUMENT when the file cannot be read as its options say
/// ("iris.csv:7:12: ...", expected, found; the fix attached), CANCELLED when `stop` was asked for,
/// or with what `file.read` returned. Thread-safe; takes memory in proportion to the table.
absl::StatusOr<ImportResult> RunPipeline(const v1::ImportHeader& header,
                                         const StagedFile& file,
                                         const std::stop_token& stop);

}  // namespace millrace::data
