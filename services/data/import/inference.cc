#include "services/data/import/inference.h"

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
constexpr std::int64_t kFewCategories = 20;
constexpr std::int64_t kCategoriesMax = 1024;

using Pair = std::pair<std::string_view, std::string_view>;
constexpr std::array<Pair, 5> kUsualPairs = {
    {{"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"}, {"on", "off"}}};

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
std::string IdentifierReason(const ColumnFacts& facts,
                             const Different& different,
                             std::string_view name) {
  if (!MayBeIdentifier(facts, name) || !different.all_numbers_differ) {
    return {};
  }
  return WouldFollow(facts)
             ? fmt::format("{} different whole numbers that follow one another", facts.value_count)
             : fmt::format("{} different whole numbers under the name of an identifier",
                           facts.value_count);
}

TypeDecision InferNumber(const ColumnFacts& facts,
                         const Different& different,
                         std::string_view name,
                         bool is_label) {
  if (const std::string reason = IdentifierReason(facts, different, name);
      !reason.empty() && !is_label) {
    return {.type = schema::v1::COLUMN_TYPE_IDENTIFIER, .reason = reason};
  }
  return facts.are_integers
             ? TypeDecision{.type = schema::v1::COLUMN_TYPE_INTEGER,
                            .reason =
                                fmt::format("all {} values are whole numbers", facts.value_count)}
             : TypeDecision{.type = schema::v1::COLUMN_TYPE_REAL,
                            .reason = fmt::format("all {} values are numbers", facts.value_count)};
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

TypeDecision InferText(const ColumnFacts& facts, std::int64_t different, bool is_label) {
  const std::int64_t values = facts.value_count;
  TypeDecision boolean = InferUsualPair(facts.first_texts);
  if (boolean.type == schema::v1::COLUMN_TYPE_BOOLEAN) {
    return boolean;
  }
  const std::string counts = fmt::format("{} different texts in {} values", different, values);
  if (is_label) {
    return {.type = schema::v1::COLUMN_TYPE_CATEGORY, .reason = counts};
  }
  if (different == values && values >= kIdentifierValuesMin) {
    return {.type = schema::v1::COLUMN_TYPE_IDENTIFIER,
            .reason = fmt::format("all {} texts are different", values)};
  }
  const bool repeats = different <= kCategoriesMax && 2 * different <= values;
  if (different <= kFewCategories || repeats) {
    return {.type = schema::v1::COLUMN_TYPE_CATEGORY, .reason = counts};
  }
  return {.type = schema::v1::COLUMN_TYPE_TEXT, .reason = counts};
}

}  // namespace

bool WouldFollow(const ColumnFacts& facts) {
  return facts.maximum - facts.minimum == static_cast<double>(facts.value_count - 1);
}

bool MayBeIdentifier(const ColumnFacts& facts, std::string_view name) {
  return facts.kind == CellKind::kNumbers && facts.are_integers &&
         facts.value_count >= kIdentifierValuesMin &&
         (WouldFollow(facts) || IsNamedAsIdentifier(name));
}

TypeDecision InferType(const ColumnFacts& facts,
                       const Different& different,
                       std::string_view name,
                       bool is_label) {
  switch (facts.kind) {
    case CellKind::kNumbers:
      return InferNumber(facts, different, name, is_label);
    case CellKind::kTimestamps:
      return {.type = schema::v1::COLUMN_TYPE_TIMESTAMP,
              .reason = fmt::format("all {} values are ISO 8601 times", facts.value_count)};
    case CellKind::kTexts:
      if (facts.value_count > 0) {
        return InferText(facts, different.texts, is_label);
      }
      [[fallthrough]];
    default:
      return {.type = is_label ? schema::v1::COLUMN_TYPE_CATEGORY : schema::v1::COLUMN_TYPE_TEXT,
              .reason = "no row has a value"};
  }
}

TypeDecision InferBoolean(const ColumnFacts& facts) {
  TypeDecision decision = InferUsualPair(facts.first_texts);
  return decision.type == schema::v1::COLUMN_TYPE_BOOLEAN
             ? decision
             : SpellingsOf({"1", "0"}, facts.first_texts);
}

features::ColumnCells ToBooleans(const features::ColumnCells& texts,
                                 std::string_view true_spelling) {
  std::vector<double> number_of;
  for (const std::string_view text : texts.dictionary) {
    number_of.push_back(features::EqualsIgnoringCase(text, true_spelling) ? 1 : 0);
  }
  features::ColumnCells cells;
  cells.valid = texts.valid;
  cells.numbers.resize(texts.valid.size());
  for (std::size_t i = 0; i < texts.valid.size(); ++i) {
    if (texts.valid[i] != 0) {
      cells.numbers[i] = number_of[static_cast<std::size_t>(texts.codes[i])];
    }
  }
  return cells;
}

}  // namespace millrace::data
