#include "services/data/clean/clean.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include <absl/container/flat_hash_set.h>
#include <fmt/format.h>

#include "common/features/cell.h"
#include "common/status/status.h"
#include "services/data/clean/label.h"

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

// Rows that are dropped for one reason: how many, and the first few.
struct Dropped {
  static constexpr std::size_t kShown = 3;

  std::int64_t count = 0;
  std::vector<std::int64_t> first;  // ascending

  void Add(std::int64_t row) {
    ++count;
    first.insert(std::upper_bound(first.begin(), first.end(), row), row);
    first.resize(std::min(first.size(), kShown));
  }
};

// "lines 5, 9 and 12", "lines 5, 9, 12 and 40 more".
absl::StatusOr<std::string> LinesInWords(const Dropped& dropped, const RawRows& raw) {
  std::string words = dropped.count == 1 ? "line " : "lines ";
  for (std::size_t i = 0; i < dropped.first.size(); ++i) {
    ASSIGN_OR_RETURN(const std::int64_t line, raw.line_of(dropped.first[i]));
    words += fmt::format("{}{}", i == 0 ? "" : ", ", line);
  }
  const std::int64_t more = dropped.count - static_cast<std::int64_t>(dropped.first.size());
  return more > 0 ? fmt::format("{} and {} more", words, more) : words;
}

// Marks the rows that are dropped.
absl::Status MarkRows(const RawRows& raw,
                      const v1::ImportOptions& options,
                      features::RowMarks& marks,
                      Dropped& unlabelled,
                      Dropped& repeated) {
  std::vector<features::Said> different;  // of one rank: almost always a single one
  return raw.ranked.ForEach([&](const features::RankedRow& row) {
    std::uint8_t& mark = marks[static_cast<std::size_t>(row.row)];
    if (!options.label().empty() && row.label == features::kMissingWord) {
      unlabelled.Add(row.row);
      mark = features::kDropped;
      return absl::OkStatus();
    }
    if (options.keep_duplicates()) {
      return absl::OkStatus();
    }
    if (!different.empty() && different.front().rank != row.said.rank) {
      different.clear();
    }
    if (std::find(different.begin(), different.end(), row.said) == different.end()) {
      different.push_back(row.said);
    } else {
      repeated.Add(row.row);
      mark = features::kDropped;
    }
    return absl::OkStatus();
  });
}

absl::Status CleanRows(const RawRows& raw, const v1::ImportOptions& options, CleanedRows& cleaned) {
  Dropped unlabelled;
  Dropped repeated;
  cleaned.marks.assign(static_cast<std::size_t>(raw.rows.row_count()), features::kKept);
  RETURN_IF_ERROR(MarkRows(raw, options, cleaned.marks, unlabelled, repeated));
  cleaned.row_count = raw.rows.row_count() - unlabelled.count - repeated.count;
  if (unlabelled.count > 0) {
    ASSIGN_OR_RETURN(const std::string lines, LinesInWords(unlabelled, raw));
    cleaned.effects.push_back(
        Effect("missing_label",
               options.label(),
               unlabelled.count,
               fmt::format("rows without a label cannot be learned from and were dropped ({}); "
                           "fill the label in, or import without one",
                           lines)));
  }
  if (repeated.count > 0) {
    ASSIGN_OR_RETURN(const std::string lines, LinesInWords(repeated, raw));
    cleaned.effects.push_back(Effect(
        "duplicate_rows",
        "",
        repeated.count,
        fmt::format("rows that repeat an earlier one in every column were dropped ({}), so that "
                    "none stands in two splits; import with duplicates kept to have them",
                    lines)));
  }
  return absl::OkStatus();
}

// What the kept rows of a column say about it as a feature.
struct ColumnLook {
  bool has_value = false;
  bool varies = false;
  std::size_t categories = 0;  // different texts, counted up to kCountMax

  static constexpr std::size_t kCountMax = std::size_t{1} << 20U;
};

absl::StatusOr<ColumnLook> LookAtNumbers(features::ColumnReader& reader,
                                         const features::RowMarks& marks) {
  std::optional<double> first;
  ColumnLook look;
  const auto add = [&](const ColumnCells& cells, std::int64_t first_row) -> absl::StatusOr<bool> {
    const std::uint8_t* const mark = marks.data() + first_row;
    for (std::size_t i = 0; i < cells.valid.size() && !look.varies; ++i) {
      if (cells.valid[i] != 0 && mark[i] != features::kDropped) {
        look.has_value = true;
        look.varies = first.has_value() && cells.numbers[i] != *first;
        first = cells.numbers[i];
      }
    }
    return !look.varies;
  };
  RETURN_IF_ERROR(reader.ForEachWhile(add));
  return look;
}

absl::StatusOr<ColumnLook> LookAtTexts(features::ColumnReader& reader,
                                       const features::RowMarks& marks) {
  constexpr features::HashKey kKey = {0x6d696c6c72616365U, 0x63617465676f7279U};
  absl::flat_hash_set<std::uint64_t> seen;
  const bool counted = reader.column().type() == schema::v1::COLUMN_TYPE_CATEGORY;
  const std::size_t enough = counted ? ColumnLook::kCountMax : 2;
  const auto add = [&](const ColumnCells& cells, std::int64_t first_row) -> absl::StatusOr<bool> {
    std::vector<bool> used(cells.dictionary.size());
    const std::uint8_t* const mark = marks.data() + first_row;
    for (std::size_t i = 0; i < cells.valid.size(); ++i) {
      if (cells.valid[i] != 0 && mark[i] != features::kDropped) {
        used[static_cast<std::size_t>(cells.codes[i])] = true;
      }
    }
    for (std::size_t code = 0; code < used.size() && seen.size() < enough; ++code) {
      if (used[code]) {
        seen.insert(features::SipHash(kKey, cells.dictionary[code]));
      }
    }
    return seen.size() < enough;
  };
  RETURN_IF_ERROR(reader.ForEachWhile(add));
  return ColumnLook{
      .has_value = !seen.empty(), .varies = seen.size() > 1, .categories = seen.size()};
}

struct SetAside {
  std::string rule;
  std::string explanation;
  bool over_limit = false;  // see CleanedRows
};

// Why a column is no feature; nothing when it is one.
std::optional<SetAside> ReasonToSetAside(const Column& column,
                                         const ColumnLook& look,
                                         std::int64_t categories_max,
                                         const v1::ImportOptions& options) {
  const auto& dropped = options.drop_columns();
  if (std::find(dropped.begin(), dropped.end(), column.name()) != dropped.end()) {
    return SetAside{"dropped_column",
                    "kept out as the import's options say; take it from the columns to drop"};
  }
  if (!look.has_value) {
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
  if (look.categories > static_cast<std::size_t>(categories_max)) {
    return SetAside{"text_column",
                    fmt::format("at most {} categories can become inputs, found {}{}; group them "
                                "before the import",
                                categories_max,
                                look.categories < ColumnLook::kCountMax ? "" : "at least ",
                                look.categories),
                    look.categories <= static_cast<std::size_t>(features::kCategoriesMax)};
  }
  if (!look.varies) {
    return SetAside{"constant_column",
                    "has one value only, from which nothing can be learned; add rows with another"};
  }
  return std::nullopt;
}

// One a column; nothing is looked up of the label.
absl::StatusOr<std::vector<ColumnLook>> LookAtColumns(const RawRows& raw,
                                                      const CleanedRows& cleaned) {
  std::vector<ColumnLook> looks(raw.rows.column_count());
  const auto look = [&](std::size_t c) -> absl::Status {
    const Column& column = raw.rows.schema().columns(static_cast<int>(c));
    if (column.role() == schema::v1::COLUMN_ROLE_LABEL) {
      return absl::OkStatus();
    }
    features::ColumnReader reader(raw.rows, c, raw.stop);
    ASSIGN_OR_RETURN(looks[c],
                     features::IsNumeric(column.type()) ? LookAtNumbers(reader, cleaned.marks)
                                                        : LookAtTexts(reader, cleaned.marks));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(features::InParallel(raw.threads, looks.size(), look));
  return looks;
}

absl::Status CleanColumns(const RawRows& raw,
                          const v1::ImportOptions& options,
                          CleanedRows& cleaned) {
  ASSIGN_OR_RETURN(const std::vector<ColumnLook> looks, LookAtColumns(raw, cleaned));
  std::vector<v1::CleaningEffect>& effects = cleaned.effects;
  int features = 0;
  for (int c = 0; c < cleaned.schema.columns_size(); ++c) {
    Column& column = *cleaned.schema.mutable_columns(c);
    if (column.role() == schema::v1::COLUMN_ROLE_LABEL) {
      continue;
    }
    const auto aside =
        ReasonToSetAside(column, looks[static_cast<std::size_t>(c)], raw.categories_max, options);
    if (!aside.has_value()) {
      ++features;
      continue;
    }
    column.set_role(schema::v1::COLUMN_ROLE_SET_ASIDE);
    column.set_reason(fmt::format("{}; set aside: {}", column.reason(), aside->rule));
    effects.push_back(Effect(aside->rule, column.name(), cleaned.row_count, aside->explanation));
    if (aside->over_limit) {
      cleaned.over_limit.push_back(column.name());
    }
  }
  if (features == 0) {
    return WithFix(
        InvalidArgument("{}: a dataset needs a feature beside its label, found {} columns that are "
                        "all set aside{}",
                        raw.file_name,
                        cleaned.schema.columns_size(),
                        effects.empty() ? ""
                                        : fmt::format("; the last, '{}', as {}",
                                                      features::Excerpt(effects.back().column()),
                                                      effects.back().rule())),
        "give a column its type with the import's options, or drop fewer");
  }
  return absl::OkStatus();
}

absl::StatusOr<schema::v1::Task> TaskOf(const RawRows& raw,
                                        const v1::ImportOptions& options,
                                        const CleanedRows& cleaned) {
  const int label = options.label().empty() ? -1 : raw.rows.IndexOf(options.label());
  if (label < 0) {
    return schema::v1::TASK_UNSPECIFIED;
  }
  features::ColumnReader reader(raw.rows, static_cast<std::size_t>(label), raw.stop);
  // Counted beyond the limit: whether integers are classes does not depend on it.
  LabelValues values{.classes = {}, .rows = cleaned.row_count, .classes_max = raw.classes_max};
  ASSIGN_OR_RETURN(values.classes,
                   features::ClassesOf(reader, cleaned.marks, features::kClassesMax));
  return DecideTask(raw.rows.schema().columns(label), values, options, raw.file_name);
}

}  // namespace

absl::StatusOr<CleanedRows> Clean(const RawRows& raw, const v1::ImportOptions& options) {
  CleanedRows cleaned;
  cleaned.schema = raw.rows.schema();
  RETURN_IF_ERROR(CleanRows(raw, options, cleaned));
  if (cleaned.row_count == 0) {
    return WithFix(InvalidArgument("{}: expected rows with a label, found none in column '{}'",
                                   raw.file_name,
                                   features::Excerpt(options.label())),
                   "fill the label in, or choose another");
  }
  ASSIGN_OR_RETURN(const schema::v1::Task task, TaskOf(raw, options, cleaned));
  cleaned.schema.set_task(task);
  RETURN_IF_ERROR(CleanColumns(raw, options, cleaned));
  return cleaned;
}

}  // namespace millrace::data
