// Pipeline: import → profile → clean → split → fit over one upload.

#pragma once

#include <memory>
#include <stop_token>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/schema/v1/schema.pb.h"
#include "millrace/schema/v1/transforms.pb.h"

#include "common/features/row_groups.h"
#include "services/data/import/import.h"
#include "services/data/import/staged_file.h"

namespace millrace::data {

/// Everything that a dataset version is made of.
struct ImportResult {
  /// The rows of the file, in temporary files that go with this.
  std::unique_ptr<const features::RowGroups> rows;

  /// The schema of the cleaned rows. It names the columns that were set aside as well; their cells
  /// are kept.
  schema::v1::Schema schema;

  /// The split of each row, or that it is dropped.
  features::RowMarks marks;

  /// Fitted on the train split.
  schema::v1::TransformSet transforms;

  /// Of the file as it came, and of each split after cleaning.
  v1::GetStatisticsResponse statistics;

  /// What cleaning and imputing did.
  std::vector<v1::CleaningEffect> effects;

  /// The options with every detected and every default value filled in. Importing the same bytes
  /// with these gives the same cells, types, splits and encodings, whatever the limits that take
  /// them; only the reasons of columns and effects differ. A column that `categories_max` sets
  /// aside is therefore among those to drop.
  v1::ImportOptions options;
};

/// Runs every step over one upload. `header.options` need not be valid; `header.file_name` stands
/// in messages. The result depends on the bytes and the options alone, and for columns of more than
/// `categories_max` categories on that limit; never on how `file` is read or by what other means.
///
/// Fails with INVALID_ARGUMENT when the file cannot be read as its options say
/// ("iris.csv:7:12: ...", expected, found; the fix attached), CANCELLED when `stop` was asked for,
/// or with what `file.read` or the scratch folder returned. Thread-safe; takes memory for some
/// blocks and columns a thread, and a byte a row.
absl::StatusOr<ImportResult> RunPipeline(const v1::ImportHeader& header,
                                         const StagedFile& file,
                                         const ImportMeans& means,
                                         const std::stop_token& stop);

}  // namespace millrace::data
