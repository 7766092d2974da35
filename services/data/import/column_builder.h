// ColumnBuilder: gathers one column's cells under the narrowest type that fits them all.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/schema/v1/schema.pb.h"

#include "common/features/cell.h"
#include "common/features/table.h"
#include "services/data/import/dictionary.h"

namespace millrace::data {

/// Begins with the kind of the first value: numbers, times or texts. A value that is none of it
/// loosens the column to texts; since the numbers' spellings are gone by then, it must be read
/// again from the file, and the rest of this reading passes it over.
///
/// Not thread-safe. `missing` must outlive the builder.
class ColumnBuilder {
 public:
  /// How the cells are kept.
  enum class Kind {
    kUndecided,  // no value yet
    kNumbers,
    kTimestamps,
    kTexts,
    kLoosened,  // to be read again as texts
  };

  enum class Added {
    kYes,
    kNotFinite,  // among numbers; refused unless the column loosens later
    kMismatch,   // not of the given type
  };

  explicit ColumnBuilder(const features::MissingSpellings& missing) : missing_(&missing) {}

  /// Takes the type as given: a value that does not fit is a mismatch.
  void Expect(const schema::v1::Column& column);

  /// Keeps texts, whatever they look like.
  void ExpectTexts() { kind_ = Kind::kTexts; }

  Added Add(std::string_view raw);

  [[nodiscard]] Kind kind() const { return kind_; }

  /// Cells that have a value.
  [[nodiscard]] std::int64_t value_count() const { return value_count_; }

  /// Whether all numbers are written as integers, and are exact in a double.
  [[nodiscard]] bool are_integers() const { return are_integers_; }

  [[nodiscard]] const features::ColumnCells& cells() const { return cells_; }

  [[nodiscard]] const Dictionary& dictionary() const { return dictionary_; }

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
  Kind kind_ = Kind::kUndecided;
  std::int64_t value_count_ = 0;
  bool are_integers_ = true;
  features::ColumnCells cells_;
  Dictionary dictionary_;
};

}  // namespace millrace::data
