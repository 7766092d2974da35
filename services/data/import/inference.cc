#include "services/data/import/inference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "common/features/cell.h"

namespace millrace::data {

namespace {

constexpr std::int64_t kIdentifierValuesMin = 10;
constexpr std::size_t kFewCategories = 20;
constexpr std::size_t kCategoriesMax = 1024;

using Pair = std::pair<std::string_view, std::string_view>;
constexpr std::array<Pair, 5> kUsualPairs = {
    {{"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"}, {"on", "off"}}};

// The numbers that have a value.
std::vector<double> ValuesOf(const features::ColumnCells& cells) {
  std::vector<double> values;
  for (std::size_t i = 0; i < cells.valid.size(); ++i) {
    if (cells.valid[i] != 0) {
      values.push_back(cells.numbers[i]);
    }
  }
  return values;
}

// "id", "patient_id", "Patient ID", "patientId".
bool IsNamedAsIdentifier(std::string_view name) {
  if (name.size() < 2 || !features::EqualsIgnoringCase(name.substr(name.size() - 2), "id")) {
    return false;
  }
  if (name.size() == 2) {
    return true;
  }
  const char before = name[name.size() - 3];
  const bool new_word = name[name.size() - 2] == 'I' && before >= 'a' && before <= 'z';
  return before == '_' || before == ' ' || before == '-' || before == '.' || new_word;
}

// Why whole numbers name their rows, or empty when they do not.
std::string IdentifierReason(const ColumnBuilder& column, std::string_view name) {
  if (!column.are_integers() || column.value_count() < kIdentifierValuesMin) {
    return {};
  }
  std::vector<double> values = ValuesOf(column.cells());
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const bool follow = *most - *least == static_cast<double>(values.size() - 1);
  if (!follow && !IsNamedAsIdentifier(name)) {
    return {};  // spares the sorting of almost every column
  }
  std::sort(values.begin(), values.end());
  if (std::adjacent_find(values.begin(), values.end()) != values.end()) {
    return {};
  }
  return follow ? fmt::format("{} different whole numbers that follow one another", values.size())
                : fmt::format("{} different whole numbers under the name of an identifier",
                              values.size());
}

TypeDecision InferNumber(const ColumnBuilder& column, std::string_view name, bool is_label) {
  if (const std::string reason = IdentifierReason(column, name); !reason.empty() && !is_label) {
    return {.type = schema::v1::COLUMN_TYPE_IDENTIFIER, .reason = reason};
  }
  const std::int64_t count = column.value_count();
  return column.are_integers()
             ? TypeDecision{.type = schema::v1::COLUMN_TYPE_INTEGER,
                            .reason = fmt::format("all {} values are whole numbers", count)}
             : TypeDecision{.type = schema::v1::COLUMN_TYPE_REAL,
                            .reason = fmt::format("all {} values are numbers", count)};
}

// The spelling of `word` that stands first among `texts`; empty when another word is among them
// that is not `other` either.
TypeDecision SpellingsOf(const Pair& pair, const std::vector<std::string>& texts) {
  TypeDecision decision;
  for (const std::string& text : texts) {
    const bool yes = features::EqualsIgnoringCase(text, pair.first);
    if (!yes && !features::EqualsIgnoringCase(text, pair.second)) {
      return {};
    }
    std::string& spelling = yes ? decision.true_spelling : decision.false_spelling;
    if (spelling.empty()) {
      spelling = text;
    }
  }
  if (decision.true_spelling.empty() || decision.false_spelling.empty()) {
    return {};
  }
  decision.type = schema::v1::COLUMN_TYPE_BOOLEAN;
  decision.reason =
      fmt::format("all values are '{}' or '{}'", decision.true_spelling, decision.false_spelling);
  return decision;
}

TypeDecision InferUsualPair(const std::vector<std::string>& texts) {
  constexpr std::size_t kSpellingsMax = 16;  // "true", "True", "TRUE" and the like
  if (texts.size() > kSpellingsMax) {
    return {};
  }
  for (const Pair& pair : kUsualPairs) {
    TypeDecision decision = SpellingsOf(pair, texts);
    if (decision.type != schema::v1::COLUMN_TYPE_UNSPECIFIED) {
      return decision;
    }
  }
  return {};
}

TypeDecision InferText(const ColumnBuilder& column, bool is_label) {
  const std::vector<std::string>& texts = column.dictionary().texts();
  const auto values = static_cast<std::size_t>(column.value_count());
  TypeDecision boolean = InferUsualPair(texts);
  if (boolean.type == schema::v1::COLUMN_TYPE_BOOLEAN) {
    return boolean;
  }
  const std::string counts = fmt::format("{} different texts in {} values", texts.size(), values);
  if (is_label) {
    return {.type = schema::v1::COLUMN_TYPE_CATEGORY, .reason = counts};
  }
  if (texts.size() == values && column.value_count() >= kIdentifierValuesMin) {
    return {.type = schema::v1::COLUMN_TYPE_IDENTIFIER,
            .reason = fmt::format("all {} texts are different", values)};
  }
  const bool repeats = texts.size() <= kCategoriesMax && 2 * texts.size() <= values;
  if (texts.size() <= kFewCategories || repeats) {
    return {.type = schema::v1::COLUMN_TYPE_CATEGORY, .reason = counts};
  }
  return {.type = schema::v1::COLUMN_TYPE_TEXT, .reason = counts};
}

}  // namespace

TypeDecision InferType(const ColumnBuilder& column, std::string_view name, bool is_label) {
  switch (column.kind()) {
    case ColumnBuilder::Kind::kNumbers:
      return InferNumber(column, name, is_label);
    case ColumnBuilder::Kind::kTimestamps:
      return {.type = schema::v1::COLUMN_TYPE_TIMESTAMP,
              .reason = fmt::format("all {} values are ISO 8601 times", column.value_count())};
    case ColumnBuilder::Kind::kTexts:
      if (column.value_count() > 0) {
        return InferText(column, is_label);
      }
      [[fallthrough]];
    default:
      return {.type = is_label ? schema::v1::COLUMN_TYPE_CATEGORY : schema::v1::COLUMN_TYPE_TEXT,
              .reason = "no row has a value"};
  }
}

TypeDecision InferBoolean(const ColumnBuilder& column) {
  const std::vector<std::string>& texts = column.dictionary().texts();
  TypeDecision decision = InferUsualPair(texts);
  return decision.type == schema::v1::COLUMN_TYPE_BOOLEAN ? decision
                                                          : SpellingsOf({"1", "0"}, texts);
}

features::ColumnCells ToBooleans(const features::ColumnCells& texts, const TypeDecision& boolean) {
  features::ColumnCells cells;
  cells.valid = texts.valid;
  cells.numbers.resize(texts.valid.size());
  for (std::size_t i = 0; i < texts.valid.size(); ++i) {
    const auto code = static_cast<std::size_t>(texts.codes[i]);
    const bool yes = texts.valid[i] != 0 &&
                     features::EqualsIgnoringCase(texts.dictionary[code], boolean.true_spelling);
    cells.numbers[i] = yes ? 1 : 0;
  }
  return cells;
}

}  // namespace millrace::data
