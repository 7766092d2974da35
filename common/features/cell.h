// Cell: what one raw cell means. The same code reads a cell at import and in a prediction, so "N/A"
// means the same in both.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/schema/v1/schema.pb.h"
#include "millrace/schema/v1/value.pb.h"

namespace millrace::features {

/// A cell after parsing. `text` points into what was parsed.
struct Cell {
  enum class Kind { kMissing, kNumber, kText };

  Kind kind = Kind::kMissing;
  double number = 0;      // boolean (1, 0), integer, real, timestamp (seconds since 1970, UTC)
  std::string_view text;  // category, text, identifier: trimmed
};

/// `text` without spaces and tabs at its ends.
std::string_view Trim(std::string_view text);

/// Texts that mean "no value". Compares without regard to ASCII case, after trimming. Thread-safe.
class MissingSpellings {
 public:
  explicit MissingSpellings(std::vector<std::string> spellings);

  /// True for the empty text too.
  [[nodiscard]] bool Contains(std::string_view trimmed) const;

 private:
  std::vector<std::string> spellings_;  // lower case, sorted
};

/// The usual spellings: NA, N/A, NaN, null, none, missing, ?, -.
std::vector<std::string> DefaultMissingSpellings();

/// A finite number written as decimal digits with optional sign, fraction and exponent, nothing
/// else; no locale, no hexadecimal, no infinity.
bool ParseNumber(std::string_view trimmed, double& number);

/// ISO 8601: a date, or date and time with `T` or a space, optional fraction and zone.
bool ParseTimestamp(std::string_view trimmed, double& seconds);

/// Reads the cells of one column. Thread-safe.
class CellParser {
 public:
  CellParser(const schema::v1::Column& column, MissingSpellings missing);

  /// Fails with INVALID_ARGUMENT: "column 'age' is an integer, found 'ten'". Texts in messages are
  /// cut to 64 bytes.
  [[nodiscard]] absl::StatusOr<Cell> Parse(std::string_view raw) const;

  /// A client's value: a text is read as above; a number or a boolean must fit the column's type (a
  /// number for a category is read as its shortest text). Not finite fails.
  /// The Cell's text may point into `scratch`.
  [[nodiscard]] absl::StatusOr<Cell> Parse(const schema::v1::Value& value,
                                           std::string& scratch) const;

  [[nodiscard]] const schema::v1::Column& column() const { return column_; }

 private:
  schema::v1::Column column_;
  MissingSpellings missing_;
};

}  // namespace millrace::features
