// BlockReader: one block of a file → columns of cells.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/schema/v1/schema.pb.h"

#include "common/csv/tokenizer.h"
#include "common/features/cell.h"
#include "services/data/import/block_source.h"
#include "services/data/import/column_builder.h"

namespace millrace::data {

/// A column that is read, and how.
struct WantedColumn {
  std::size_t index = 0;  // in the file
  std::string name;
  std::optional<schema::v1::Column> given;  // with its type, where the import's options say it
  bool as_texts = false;                    // whatever it looks like
};

/// How every block of a file is read.
struct ReadingRules {
  std::string file_name;
  char delimiter = ',';
  csv::Limits limits = {};
  features::MissingSpellings missing;
  std::int64_t width = 0;       // cells of a row
  std::size_t first_block = 0;  // which has the file's first record
  bool has_header = false;      // whether that record names the columns
  std::vector<WantedColumn> columns;
};

/// What one block has.
struct ReadColumns {
  std::vector<ColumnBuilder> columns;  // as wanted
  std::vector<std::uint32_t> lines;    // how far below the block's first line each row begins
};

/// Immutable, thread-safe.
class BlockReader {
 public:
  explicit BlockReader(ReadingRules rules) : rules_(std::move(rules)) {}

  /// INVALID_ARGUMENT with file, line and column, see ImportFile(). A number that is not finite in
  /// a column whose type is not given is noted in the column's facts.
  [[nodiscard]] absl::StatusOr<ReadColumns> Read(const Block& block) const;

  [[nodiscard]] const ReadingRules& rules() const { return rules_; }

 private:
  absl::Status Take(const csv::Record& record, ReadColumns& read) const;
  absl::Status Refuse(const csv::Record& record,
                      const WantedColumn& wanted,
                      ColumnBuilder::Added why,
                      ColumnBuilder& column) const;

  ReadingRules rules_;
};

/// The error for a number that is not finite, "t.csv:3:3: numbers must be finite in column ...".
absl::Status NotFiniteError(std::string_view file_name,
                            std::string_view column,
                            const NotFinite& found);

}  // namespace millrace::data
