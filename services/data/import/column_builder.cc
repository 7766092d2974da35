#include "services/data/import/column_builder.h"

#include <algorithm>
#include <utility>

namespace millrace::data {

namespace {

// An optional sign and digits, nothing else.
bool IsWrittenAsInteger(std::string_view text) {
  if (text.front() == '-' || text.front() == '+') {
    text.remove_prefix(1);
  }
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Requires: written as an integer, exact in a double. Whether its shortest text is this one.
bool IsCanonical(std::string_view text) {
  constexpr std::size_t kDigitsMax = 15;  // below that no exponent is shorter
  if (text.front() == '-') {
    text.remove_prefix(1);
    return text.front() != '0' && text.size() <= kDigitsMax;
  }
  return text.front() != '+' && (text.front() != '0' || text.size() == 1) &&
         text.size() <= kDigitsMax;
}

}  // namespace

void ColumnFacts::Merge(ColumnFacts&& next) {
  if (next.kind != CellKind::kUndecided) {
    kind = kind == CellKind::kUndecided || kind == next.kind ? next.kind : CellKind::kLoosened;
  }
  are_integers = are_integers && next.are_integers;
  are_canonical = are_canonical && next.are_canonical;
  value_count += next.value_count;
  minimum = std::min(minimum, next.minimum);
  maximum = std::max(maximum, next.maximum);
  for (std::string& text : next.first_texts) {
    if (first_texts.size() == kFirstTextsMax) {
      break;
    }
    if (std::find(first_texts.begin(), first_texts.end(), text) == first_texts.end()) {
      first_texts.push_back(std::move(text));
    }
  }
  if (!not_finite.has_value()) {
    not_finite = std::move(next.not_finite);
  }
}

void ColumnBuilder::Expect(const schema::v1::Column& column) {
  expected_.emplace(column, *missing_);
  facts_.kind =
      column.type() == schema::v1::COLUMN_TYPE_TIMESTAMP ? Kind::kTimestamps : Kind::kNumbers;
}

ColumnBuilder::Added ColumnBuilder::Add(std::string_view raw) {
  const std::string_view trimmed = features::Trim(raw);
  if (missing_->Contains(trimmed)) {
    AddMissing();
    return Added::kYes;
  }
  if (expected_.has_value()) {
    return AddExpected(trimmed);
  }
  if (facts_.kind == Kind::kUndecided) {
    Decide(trimmed);
  }
  switch (facts_.kind) {
    case Kind::kNumbers:
      return AddNumber(trimmed);
    case Kind::kTimestamps:
      return AddTimestamp(trimmed);
    case Kind::kTexts:
      AddText(trimmed);
      return Added::kYes;
    default:
      return Added::kYes;
  }
}

void ColumnBuilder::AddMissing() {
  if (facts_.kind == Kind::kLoosened) {
    return;
  }
  cells_.valid.push_back(0);
  if (facts_.kind == Kind::kTexts) {
    cells_.codes.push_back(0);
  } else if (facts_.kind != Kind::kUndecided) {
    cells_.numbers.push_back(0);
  }
}

ColumnBuilder::Added ColumnBuilder::AddExpected(std::string_view trimmed) {
  const absl::StatusOr<features::Cell> cell = expected_->Parse(trimmed);
  if (!cell.ok()) {
    return features::SpellsNonFinite(trimmed) ? Added::kNotFinite : Added::kMismatch;
  }
  PushNumber(cell->number);
  return Added::kYes;
}

ColumnBuilder::Added ColumnBuilder::AddNumber(std::string_view trimmed) {
  double number = 0;
  if (!features::ParseNumber(trimmed, number)) {
    if (!features::SpellsNonFinite(trimmed)) {
      Loosen();
      return Added::kYes;
    }
    PushNumber(0);
    return Added::kNotFinite;
  }
  if (facts_.are_integers) {
    facts_.are_integers = IsWrittenAsInteger(trimmed) && features::IsExactInteger(number);
    facts_.are_canonical = facts_.are_canonical && facts_.are_integers && IsCanonical(trimmed);
  }
  PushNumber(number);
  return Added::kYes;
}

ColumnBuilder::Added ColumnBuilder::AddTimestamp(std::string_view trimmed) {
  double seconds = 0;
  if (features::ParseTimestamp(trimmed, seconds)) {
    PushNumber(seconds);
  } else {
    Loosen();
  }
  return Added::kYes;
}

void ColumnBuilder::AddText(std::string_view trimmed) {
  cells_.codes.push_back(dictionary_.Code(trimmed));
  cells_.valid.push_back(1);
}

void ColumnBuilder::PushNumber(double number) {
  cells_.numbers.push_back(number);
  cells_.valid.push_back(1);
}

// The first value: what was missing before it gets its zeros now.
void ColumnBuilder::Decide(std::string_view trimmed) {
  double ignored = 0;
  if (features::ParseNumber(trimmed, ignored) || features::SpellsNonFinite(trimmed)) {
    facts_.kind = Kind::kNumbers;
  } else if (features::ParseTimestamp(trimmed, ignored)) {
    facts_.kind = Kind::kTimestamps;
  } else {
    facts_.kind = Kind::kTexts;
    cells_.codes.resize(cells_.valid.size());
    return;
  }
  cells_.numbers.resize(cells_.valid.size());
}

void ColumnBuilder::NoteNotFinite(csv::Position position, std::string_view text) {
  if (!facts_.not_finite.has_value()) {
    facts_.not_finite = NotFinite{.position = position, .text = std::string(text)};
  }
}

ColumnFacts ColumnBuilder::Facts() const {
  ColumnFacts facts = facts_;
  facts.value_count = std::count(cells_.valid.begin(), cells_.valid.end(), 1);
  const bool whole = facts.kind == Kind::kNumbers && facts.are_integers;
  for (std::size_t i = 0; whole && i < cells_.numbers.size(); ++i) {
    if (cells_.valid[i] != 0) {
      facts.minimum = std::min(facts.minimum, cells_.numbers[i]);
      facts.maximum = std::max(facts.maximum, cells_.numbers[i]);
    }
  }
  const features::Texts& texts = dictionary_.texts();
  for (std::size_t i = 0; i < std::min(texts.size(), ColumnFacts::kFirstTextsMax); ++i) {
    facts.first_texts.emplace_back(texts[i]);
  }
  return facts;
}

void ColumnBuilder::Loosen() {
  facts_.kind = Kind::kLoosened;
  cells_ = {};
}

features::ColumnCells ColumnBuilder::Release() {
  if (facts_.kind == Kind::kUndecided) {
    cells_.codes.resize(cells_.valid.size());  // an empty column is one of texts
  }
  cells_.dictionary = dictionary_.Release();
  return std::move(cells_);
}

}  // namespace millrace::data
