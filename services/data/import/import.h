// Import: the bytes of a CSV file → typed columns under a Schema.

#pragma once

#include <cstdint>
#include <stop_token>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"

#include "common/features/table.h"
#include "services/data/import/staged_file.h"

namespace millrace::data {

/// A file as it came, typed.
struct ImportedFile {
  /// Every row of the file. Each column has a type with its reason; the label's role is label, all
  /// others are features for now.
  features::Table table;

  /// The line of the file on which each row of the table begins.
  std::vector<std::int64_t> lines;

  /// The options with delimiter, header, missing spellings and column types filled in.
  v1::ImportOptions options;
};

/// Reads the file once, and once more when a column that began with numbers or times turned out to
/// be texts. Types are inferred over all rows (inference.h) unless the options give them.
///
/// INVALID_ARGUMENT, with file, line and column, for what the tokenizer refuses (csv/tokenizer.h),
/// a file without rows, names that the options use and the file does not have, a cell that does not
/// fit a given type, and a number that is not finite. CANCELLED when `stop` was asked for.
/// Requires: valid options.
absl::StatusOr<ImportedFile> ImportFile(const v1::ImportHeader& header,
                                        const StagedFile& file,
                                        const std::stop_token& stop);

}  // namespace millrace::data
