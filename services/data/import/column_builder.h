// ColumnBuilder: gathers one column's cells under the narrowest type that fits them all.

#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/schema/v1/schema.pb.h"

#include "common/csv/position.h"
#include "common/features/cell.h"
#include "common/features/dictionary.h"
#include "common/features/table.h"

namespace millrace::data {

/// How the cells of a column are kept.
enum class CellKind : std::uint8_t {
  kUndecided,  // no value yet
  kNumbers,
  kTimestamps,
  kTexts,
  kLoosened,  // to be read again as texts
};

/// A number that is not finite, and where it stands.
struct NotFinite {
  csv::Position position;
  std::string text;
};

/// What is known of a column's cells without looking at them again.
struct ColumnFacts {
  static constexpr std::size_t kFirstTextsMax = 17;  // one more than a boolean has spellings

  CellKind kind = CellKind::kUndecided;
  bool are_integers = true;   // all numbers are written as integers, and are exact in a double
  bool are_canonical = true;  // and as their shortest texts
  std::int64_t value_count = 0;
  double minimum = std::numeric_limits<double>::infinity();  // of whole numbers
  double maximum = -std::numeric_limits<double>::infinity();
  std::vector<std::string> first_texts;  // the first different ones, in order of appearance
  std::optional<NotFinite> not_finite;   // the first one; counts only if the kind stays kNumbers

  /// Goes on with what was found in the rows that follow: cells of two kinds are loosened.
  void Merge(ColumnFacts&& next);
};

/// Begins with the kind of the first value: numbers, times or texts. A value that is none of it
/// loosens the column to texts; since the numbers' spellings are gone by then, it must be read
/// again from the file, and the rest of this reading passes it over.
///
/// Not thread-safe. `missing` must outlive the builder.
class ColumnBuilder {
 public:
  using Kind = CellKind;

  enum class Added {
    kYes,
    kNotFinite,  // among numbers; refused unless the column loosens later
    kMismatch,   // not of the given type
  };

  explicit ColumnBuilder(const features::MissingSpellings& missing) : missing_(&missing) {}

  /// Takes the type as given: a value that does not fit is a mismatch.
  void Expect(const schema::v1::Column& column);

  /// Keeps texts, whatever they look like.
  void ExpectTexts() { facts_.kind = Kind::kTexts; }

  Added Add(std::string_view raw);

  /// Says where the number stands that Add() has just found not finite.
  void NoteNotFinite(csv::Position position, std::string_view text);

  [[nodiscard]] Kind kind() const { return facts_.kind; }

  /// Whether all numbers are written as integers, and are exact in a double.
  [[nodiscard]] bool are_integers() const { return facts_.are_integers; }

  /// Of the cells that are kept.
  [[nodiscard]] ColumnFacts Facts() const;

  [[nodiscard]] const features::ColumnCells& cells() const { return cells_; }

  /// The different texts, in order of first appearance.
  [[nodiscard]] const features::Texts& texts() const { return dictionary_.texts(); }

  /// Gives the cells away.
  features::ColumnCells Release();

 private:
  void AddMissing();
  Added AddExpected(std::string_view trimmed);
  Added AddNumber(std::string_view trimmed);
  Added AddTimestamp(std::string_view trimmed);
  void AddText(std::string_view trimmed);
  void PushNumber(double number);
  void Decide(std::string_view trimmed);
  void Loosen();

  const features::MissingSpellings* missing_;
  std::optional<features::CellParser> expected_;
  ColumnFacts facts_;  // without counts, range and texts
  features::ColumnCells cells_;
  features::Dictionary dictionary_;
};

}  // namespace millrace::data
