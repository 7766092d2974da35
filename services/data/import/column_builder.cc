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

}  // namespace

void ColumnBuilder::Expect(const schema::v1::Column& column) {
  expected_.emplace(column, *missing_);
  kind_ = column.type() == schema::v1::COLUMN_TYPE_TIMESTAMP ? Kind::kTimestamps : Kind::kNumbers;
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
  if (kind_ == Kind::kUndecided) {
    Decide(trimmed);
  }
  switch (kind_) {
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
  if (kind_ == Kind::kLoosened) {
    return;
  }
  cells_.valid.push_back(0);
  if (kind_ == Kind::kTexts) {
    cells_.codes.push_back(0);
  } else if (kind_ != Kind::kUndecided) {
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
  are_integers_ = are_integers_ && IsWrittenAsInteger(trimmed) && features::IsExactInteger(number);
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
  ++value_count_;
}

void ColumnBuilder::PushNumber(double number) {
  cells_.numbers.push_back(number);
  cells_.valid.push_back(1);
  ++value_count_;
}

// The first value: what was missing before it gets its zeros now.
void ColumnBuilder::Decide(std::string_view trimmed) {
  double ignored = 0;
  if (features::ParseNumber(trimmed, ignored) || features::SpellsNonFinite(trimmed)) {
    kind_ = Kind::kNumbers;
  } else if (features::ParseTimestamp(trimmed, ignored)) {
    kind_ = Kind::kTimestamps;
  } else {
    kind_ = Kind::kTexts;
    cells_.codes.resize(cells_.valid.size());
    return;
  }
  cells_.numbers.resize(cells_.valid.size());
}

void ColumnBuilder::Loosen() {
  kind_ = Kind::kLoosened;
  cells_ = {};
}

features::ColumnCells ColumnBuilder::Release() {
  if (kind_ == Kind::kUndecided) {
    cells_.codes.resize(cells_.valid.size());  // an empty column is one of texts
  }
  cells_.dictionary = dictionary_.Release();
  return std::move(cells_);
}

}  // namespace millrace::data
