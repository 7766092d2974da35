// Cell: what one raw cell means. The same code reads a cell at import and in a prediction, so "N/A"
// means the same in both.

#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
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
  MissingSpellings() = default;
  explicit MissingSpellings(const std::vector<std::string>& spellings);

  /// True for the empty text too.
  [[nodiscard]] bool Contains(std::string_view trimmed) const;

 private:
  std::vector<std::string> spellings_;  // trimmed, lower case
  std::array<bool, 256> starts_{};      // whether one of them starts with this byte, in any case
};

/// The usual spellings: NA, N/A, NaN, null, none, missing, ?, -.
std::vector<std::string> DefaultMissingSpellings();

/// `text` cut to 64 bytes between two characters, for messages.
std::string Excerpt(std::string_view text);

/// Whether two texts are equal but for the case of ASCII letters.
bool EqualsIgnoringCase(std::string_view left, std::string_view right);

/// A finite number written as decimal digits with optional sign, fraction and exponent, nothing
/// else; no locale, no hexadecimal, no infinity. The nearest double (std::from_chars), 0 for a
/// number too small for one; false for a number too large.
bool ParseNumber(std::string_view trimmed, double& number);

/// Whether the text spells a number that is not finite: inf, infinity or nan with an optional sign,
/// or a decimal number too large for a double.
bool SpellsNonFinite(std::string_view trimmed);

/// Whether the number is whole and in [-2^53, 2^53], so that a double holds it exactly.
bool IsExactInteger(double number);

/// The shortest decimal text that reads back as `number`: 3 is "3". May point into `scratch`.
std::string_view ShortestText(double number, std::string& scratch);

/// ISO 8601: a date (2024-02-29), or date and time with `T` or a space (2024-02-29T13:05,
/// 2024-02-29 13:05:07), optional fraction of a second and zone (Z, +01:00, +0100, +01). Years 0000
/// to 9999; no leap second.
bool ParseTimestamp(std::string_view trimmed, double& seconds);

/// A text that reads back as `seconds`: 2024-02-29T13:05:07Z, a fraction only where there is one.
/// Requires: what ParseTimestamp() gives. May point into `scratch`.
std::string_view TimestampText(double seconds, std::string& scratch);

/// Reads the cells of one column. Thread-safe.
class CellParser {
 public:
  CellParser(schema::v1::Column column, MissingSpellings missing);

  /// Fails with INVALID_ARGUMENT: "column 'age' is an integer, found 'ten'". Texts in messages are
  /// cut to 64 bytes. An integer column takes any spelling of a whole number ("1e3"); a boolean
  /// column its two spellings without regard to ASCII case.
  [[nodiscard]] absl::StatusOr<Cell> Parse(std::string_view raw) const;

  /// A client's value: a text is read as above; a number or a boolean must fit the column's type (a
  /// number for a category is read as its shortest text). Not finite fails.
  /// The Cell's text may point into `scratch`.
  [[nodiscard]] absl::StatusOr<Cell> Parse(const schema::v1::Value& value,
                                           std::string& scratch) const;

  [[nodiscard]] const schema::v1::Column& column() const { return column_; }

 private:
  [[nodiscard]] absl::StatusOr<Cell> ParseText(std::string_view trimmed) const;
  [[nodiscard]] absl::StatusOr<Cell> FromNumber(double number, std::string& scratch) const;
  [[nodiscard]] absl::StatusOr<Cell> FromBoolean(bool yes) const;
  [[nodiscard]] absl::Status Mismatch(std::string_view found) const;

  schema::v1::Column column_;
  MissingSpellings missing_;
};

}  // namespace millrace::features
