// Import: the bytes of a CSV file → typed columns under a Schema.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"

#include "common/csv/tokenizer.h"
#include "common/features/transform_check.h"
#include "common/storage/scratch.h"
#include "services/data/import/block_source.h"
#include "services/data/import/spilled_rows.h"
#include "services/data/import/staged_file.h"

namespace millrace::data {

/// A file as it came, typed.
struct ImportedFile {
  /// Every row of the file. Each column has a type with its reason; the label's role is label, all
  /// others are features for now.
  std::unique_ptr<const SpilledRows> rows;

  /// The options with delimiter, header, missing spellings and column types filled in.
  v1::ImportOptions options;
};

/// What a file may ask for.
struct ImportLimits {
  csv::Limits csv = {};
  std::int64_t categories_max = features::kCategoriesMax;  // of a feature
  std::int64_t classes_max = features::kClassesMax;        // of the label
};

/// What a file is read with. None of it changes what comes out of a file within the limits.
struct ImportMeans {
  storage::Scratch scratch;
  int threads = 1;
  ImportLimits limits = {};
  std::int64_t block_bytes = BlockSizes::kBlockBytes;

  /// Told each step of the pipeline as it begins: import, rank, clean, split, columns.
  std::function<void(std::string_view step)> begins = {};
};

/// Reads the file once, and once more when a column that began with numbers or times turned out to
/// be texts. Types are inferred over all rows (inference.h) unless the options give them. Takes
/// memory for a few blocks a thread.
///
/// INVALID_ARGUMENT, with file, line and column, for what the tokenizer refuses (csv/tokenizer.h),
/// a file without rows, names that the options use and the file does not have, a cell that does not
/// fit a given type, and a number that is not finite. CANCELLED when `stop` was asked for.
/// Requires: valid options.
absl::StatusOr<ImportedFile> ImportFile(const v1::ImportHeader& header,
                                        const StagedFile& file,
                                        const ImportMeans& means,
                                        const std::stop_token& stop);

}  // namespace millrace::data
