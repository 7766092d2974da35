#include "services/data/import/spilled_rows.h"

#include <algorithm>
#include <utility>

#include "common/features/cell.h"
#include "common/status/status.h"
#include "services/data/import/inference.h"

namespace millrace::data {

namespace {

using features::ColumnCells;

// Numbers whose texts are all different or few: every one gets a text of its own.
ColumnCells ToTexts(ColumnCells cells) {
  ColumnCells texts;
  texts.valid = std::move(cells.valid);
  texts.codes.resize(texts.valid.size());
  std::string scratch;
  for (std::size_t i = 0; i < texts.valid.size(); ++i) {
    if (texts.valid[i] != 0) {
      texts.codes[i] = static_cast<std::int32_t>(texts.dictionary.size());
      texts.dictionary.push_back(features::ShortestText(cells.numbers[i], scratch));
    }
  }
  return texts;
}

}  // namespace

SpilledRows::SpilledRows(SpilledFile file) : file_(std::move(file)) {
  bounds_.push_back(0);
  for (const SpilledGroup& group : file_.groups) {
    bounds_.push_back(bounds_.back() + group.rows);
  }
}

absl::StatusOr<ColumnCells> SpilledRows::Read(std::size_t group, std::size_t column) const {
  const SpilledGroup& place = file_.groups[group];
  const CellView& view = file_.views[column];
  const schema::v1::Column& described = file_.schema.columns(static_cast<int>(column));
  ASSIGN_OR_RETURN(
      ColumnCells cells,
      view.again < 0
          ? file_.spill->Read(place.at, column, place.rows)
          : file_.again->Read(place.again_at, static_cast<std::size_t>(view.again), place.rows));
  const bool is_empty = cells.numbers.empty() && cells.dictionary.empty();
  if (view.change == CellView::Change::kBooleans) {
    return ToBooleans(cells, described.true_spelling());
  }
  if (view.change == CellView::Change::kTexts && !cells.numbers.empty()) {
    return ToTexts(std::move(cells));
  }
  if (is_empty && features::IsNumeric(described.type())) {
    cells.numbers.resize(cells.valid.size());  // a group without a value was kept as texts
    cells.codes.clear();
  }
  return cells;
}

absl::StatusOr<std::int64_t> SpilledRows::LineOf(std::int64_t row) const {
  const auto after = std::upper_bound(bounds_.begin(), bounds_.end(), row);
  const auto index = static_cast<std::size_t>(after - bounds_.begin()) - 1;
  const SpilledGroup& group = file_.groups[index];
  ASSIGN_OR_RETURN(const std::uint32_t below,
                   file_.spill->LineOf(group.at, column_count(), row - bounds_[index]));
  return group.place.first_line + below;
}

}  // namespace millrace::data
