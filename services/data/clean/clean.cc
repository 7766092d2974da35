#include "services/data/clean/clean.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "common/features/cell.h"
#include "common/features/transform_check.h"
#include "common/status/status.h"
#include "services/data/clean/label.h"
#include "services/data/clean/row_filter.h"

namespace millrace::data {

namespace {

using features::ColumnCells;
using schema::v1::Column;

v1::CleaningEffect Effect(std::string rule,
                          std::string column,
                          std::int64_t count,
                          std::string explanation) {
  v1::CleaningEffect effect;
  effect.set_rule(std::move(rule));
  effect.set_column(std::move(column));
  effect.set_count(count);
  effect.set_explanation(std::move(explanation));
  return effect;
}

// "lines 5, 9 and 12", "lines 5, 9, 12 and 40 more".
std::string LinesInWords(const std::vector<std::int64_t>& rows,
                         const std::vector<std::int64_t>& lines) {
  constexpr std::size_t kShown = 3;
  std::string words = rows.size() == 1 ? "line " : "lines ";
  for (std::size_t i = 0; i < std::min(kShown, rows.size()); ++i) {
    words += fmt::format("{}{}", i == 0 ? "" : ", ", lines[static_cast<std::size_t>(rows[i])]);
  }
  return rows.size() > kShown ? fmt::format("{} and {} more", words, rows.size() - kShown) : words;
}

std::vector<std::int64_t> Without(const std::vector<std::int64_t>& rows,
                                  const std::vector<std::int64_t>& dropped) {
  std::vector<std::int64_t> kept;
  kept.reserve(rows.size());
  std::set_difference(
      rows.begin(), rows.end(), dropped.begin(), dropped.end(), std::back_inserter(kept));
  return kept;
}

// The rows that stay, ascending.
std::vector<std::int64_t> CleanRows(const features::Table& table,
                                    const std::vector<std::int64_t>& lines,
                                    const v1::ImportOptions& options,
                                    std::vector<v1::CleaningEffect>& effects) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(table.row_count()));
  std::iota(rows.begin(), rows.end(), 0);
  const int label = options.label().empty() ? -1 : table.IndexOf(options.label());
  if (label >= 0) {
    const ColumnCells& cells = table.columns[static_cast<std::size_t>(label)];
    std::vector<std::int64_t> missing;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(missing), [&](std::int64_t row) {
      return cells.valid[static_cast<std::size_t>(row)] == 0;
    });
    if (!missing.empty()) {
      rows = Without(rows, missing);
      effects.push_back(
          Effect("missing_label",
                 options.label(),
                 static_cast<std::int64_t>(missing.size()),
                 fmt::format("rows without a label cannot be learned from and were dropped ({}); "
                             "fill the label in, or import without one",
                             LinesInWords(missing, lines))));
    }
  }
  if (options.keep_duplicates()) {
    return rows;
  }
  const std::vector<std::int64_t> repeated = RepeatedRows(table, rows);
  if (!repeated.empty()) {
    rows = Without(rows, repeated);
    effects.push_back(Effect(
        "duplicate_rows",
        "",
        static_cast<std::int64_t>(repeated.size()),
        fmt::format("rows that repeat an earlier one in every column were dropped ({}), so that "
                    "none stands in two splits; import with duplicates kept to have them",
                    LinesInWords(repeated, lines))));
  }
  return rows;
}

// Whether at most one value stands in the column.
bool IsConstant(const ColumnCells& cells) {
  std::optional<std::size_t> first;
  for (std::size_t i = 0; i < cells.valid.size(); ++i) {
    if (cells.valid[i] == 0) {
      continue;
    }
    if (!first.has_value()) {
      first = i;
    } else if (cells.codes.empty() ? cells.numbers[i] != cells.numbers[*first]
                                   : cells.codes[i] != cells.codes[*first]) {
      return false;
    }
  }
  return true;
}

bool IsEmpty(const ColumnCells& cells) {
  return std::find(cells.valid.begin(), cells.valid.end(), 1) == cells.valid.end();
}

struct SetAside {
  std::string rule;
  std::string explanation;
};

// Why a column is no feature; nothing when it is one.
std::optional<SetAside> ReasonToSetAside(const Column& column,
                                         const ColumnCells& cells,
                                         const v1::ImportOptions& options) {
  const auto& dropped = options.drop_columns();
  if (std::find(dropped.begin(), dropped.end(), column.name()) != dropped.end()) {
    return SetAside{"dropped_column",
                    "kept out as the import's options say; take it from the columns to drop"};
  }
  if (IsEmpty(cells)) {
    return SetAside{"empty_column",
                    "no row has a value; if one of its texts was read as missing, give your own "
                    "missing spellings"};
  }
  if (column.type() == schema::v1::COLUMN_TYPE_IDENTIFIER) {
    return SetAside{"identifier_column",
                    fmt::format("names the row and tells nothing about it ({}); give the column "
                                "another type to use it",
                                column.reason())};
  }
  if (column.type() == schema::v1::COLUMN_TYPE_TEXT) {
    return SetAside{"text_column",
                    fmt::format("free text has no encoding ({}); give the column the type category "
                                "if its texts are kinds",
                                column.reason())};
  }
  if (cells.dictionary.size() > static_cast<std::size_t>(features::kCategoriesMax)) {
    return SetAside{"text_column",
                    fmt::format("at most {} categories can become inputs, found {}; group them "
                                "before the import",
                                features::kCategoriesMax,
                                cells.dictionary.size())};
  }
  if (IsConstant(cells)) {
    return SetAside{"constant_column",
                    "has one value only, from which nothing can be learned; add rows with another"};
  }
  return std::nullopt;
}

absl::Status CleanColumns(features::Table& table,
                          const v1::ImportOptions& options,
                          std::string_view file_name,
                          std::vector<v1::CleaningEffect>& effects) {
  int features = 0;
  for (int c = 0; c < table.schema.columns_size(); ++c) {
    Column& column = *table.schema.mutable_columns(c);
    if (column.role() == schema::v1::COLUMN_ROLE_LABEL) {
      continue;
    }
    const auto aside =
        ReasonToSetAside(column, table.columns[static_cast<std::size_t>(c)], options);
    if (!aside.has_value()) {
      ++features;
      continue;
    }
    column.set_role(schema::v1::COLUMN_ROLE_SET_ASIDE);
    column.set_reason(fmt::format("{}; set aside: {}", column.reason(), aside->rule));
    effects.push_back(Effect(aside->rule, column.name(), table.row_count(), aside->explanation));
  }
  if (features == 0) {
    return WithFix(
        InvalidArgument("{}: a dataset needs a feature beside its label, found {} columns that are "
                        "all set aside{}",
                        file_name,
                        table.schema.columns_size(),
                        effects.empty() ? ""
                                        : fmt::format("; the last, '{}', as {}",
                                                      features::Excerpt(effects.back().column()),
                                                      effects.back().rule())),
        "give a column its type with the import's options, or drop fewer");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CleanedTable> Clean(features::Table table,
                                   const std::vector<std::int64_t>& lines,
                                   const v1::ImportOptions& options,
                                   std::string_view file_name) {
  CleanedTable cleaned{.table = std::move(table), .effects = {}};
  const std::vector<std::int64_t> rows = CleanRows(cleaned.table, lines, options, cleaned.effects);
  if (rows.empty()) {
    return WithFix(InvalidArgument("{}: expected rows with a label, found none in column '{}'",
                                   file_name,
                                   features::Excerpt(options.label())),
                   "fill the label in, or choose another");
  }
  KeepRows(cleaned.table, rows);
  ASSIGN_OR_RETURN(const schema::v1::Task task, DecideTask(cleaned.table, options, file_name));
  cleaned.table.schema.set_task(task);
  RETURN_IF_ERROR(CleanColumns(cleaned.table, options, file_name, cleaned.effects));
  return cleaned;
}

}  // namespace millrace::data
