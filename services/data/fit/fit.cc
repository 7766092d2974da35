#include "services/data/fit/fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "common/features/cell.h"
#include "common/features/transform_check.h"
#include "common/features/transformer.h"
#include "common/status/status.h"
#include "services/data/fit/median.h"

namespace millrace::data {

namespace {

using features::ColumnCells;
using schema::v1::Column;
using schema::v1::FeatureTransform;
using schema::v1::LinearEncoding;

// Smallest and largest of some numbers.
struct Range {
  double minimum = std::numeric_limits<double>::infinity();
  double maximum = -std::numeric_limits<double>::infinity();

  void Add(double number) {
    minimum = std::min(minimum, number);
    maximum = std::max(maximum, number);
  }
};

// What the first pass over a column of numbers gives.
struct NumberLook {
  Range all;    // of the kept rows
  Range train;  // of the train split
  LeadingCounts counts;
  std::int64_t missing_count = 0;
};

// The cells of a column with the marks of their rows.
struct MarkedColumn {
  features::ColumnReader& reader;
  const features::RowMarks& marks;

  // Gives every number of the rows that `wanted` takes by their mark.
  template <typename Wanted, typename Sink>
  absl::Status ForEachNumber(const Wanted& wanted, const Sink& sink) const {
    return reader.ForEach([&](const ColumnCells& cells, std::int64_t first) {
      const std::uint8_t* const mark = marks.data() + first;
      for (std::size_t i = 0; i < cells.valid.size(); ++i) {
        if (cells.valid[i] != 0 && wanted(mark[i])) {
          sink(cells.numbers[i]);
        }
      }
      return absl::OkStatus();
    });
  }

  // Of the train split.
  template <typename Sink>
  absl::Status ForEachTrained(const Sink& sink) const {
    return ForEachNumber([](std::uint8_t mark) { return mark == schema::v1::SPLIT_TRAIN; }, sink);
  }
};

absl::StatusOr<NumberLook> LookAt(const MarkedColumn& column) {
  NumberLook look;
  const auto add = [&](const ColumnCells& cells, std::int64_t first) {
    const std::uint8_t* const mark = column.marks.data() + first;
    for (std::size_t i = 0; i < cells.valid.size(); ++i) {
      if (mark[i] == features::kDropped) {
        continue;
      }
      if (cells.valid[i] == 0) {
        ++look.missing_count;
        continue;
      }
      look.all.Add(cells.numbers[i]);
      if (mark[i] == schema::v1::SPLIT_TRAIN) {
        look.train.Add(cells.numbers[i]);
        look.counts.Add(cells.numbers[i]);
      }
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(column.reader.ForEach(add));
  return look;
}

// Mean and population deviation, in two passes: the first figure is exact enough for the second.
absl::StatusOr<LinearEncoding> Standard(const MarkedColumn& column, std::int64_t count) {
  const auto numbers = static_cast<double>(count);
  double mean = 0;
  RETURN_IF_ERROR(column.ForEachTrained([&](double number) { mean += number / numbers; }));
  double squares = 0;
  RETURN_IF_ERROR(column.ForEachTrained(
      [&](double number) { squares += (number - mean) * (number - mean) / numbers; }));
  LinearEncoding encoding;
  encoding.set_offset(mean);
  encoding.set_scale(1 / std::sqrt(squares));
  return encoding;
}

LinearEncoding MinMax(const Range& range) {
  LinearEncoding encoding;
  encoding.set_offset(range.minimum);
  encoding.set_scale(1 / (range.maximum - range.minimum));
  return encoding;
}

absl::StatusOr<LinearEncoding> Scale(const MarkedColumn& column,
                                     const NumberLook& look,
                                     v1::Scaling scaling) {
  LinearEncoding encoding;
  if (scaling == v1::SCALING_NONE) {
    encoding.set_scale(1);
    return encoding;
  }
  if (look.counts.count() == 0) {
    return encoding;
  }
  if (scaling == v1::SCALING_STANDARD) {
    ASSIGN_OR_RETURN(encoding, Standard(column, look.counts.count()));
  } else {
    encoding = MinMax(look.train);
  }
  // No spread, or one too small to divide by.
  if (look.train.minimum == look.train.maximum || !std::isfinite(encoding.scale())) {
    encoding.set_scale(0);
  }
  return encoding;
}

bool FitsFloat(double number, const LinearEncoding& encoding) {
  constexpr double kFloatMax = std::numeric_limits<float>::max();
  return std::abs((number - encoding.offset()) * encoding.scale()) <= kFloatMax;
}

// Whether both ends of a column, over all kept rows, stay in a float32 once scaled.
absl::Status CheckRange(const MarkedColumn& column,
                        const Range& range,
                        const LinearEncoding& encoding,
                        std::string_view file_name) {
  const bool is_empty = range.minimum > range.maximum;
  if (is_empty || (FitsFloat(range.minimum, encoding) && FitsFloat(range.maximum, encoding))) {
    return absl::OkStatus();
  }
  std::optional<double> first;
  const auto is_kept = [](std::uint8_t mark) { return mark != features::kDropped; };
  RETURN_IF_ERROR(column.ForEachNumber(is_kept, [&](double number) {
    if (!first.has_value() && !FitsFloat(number, encoding)) {
      first = number;
    }
  }));
  return WithFix(InvalidArgument("{}: column '{}' has numbers that a float32 cannot hold once "
                                 "scaled, found {}",
                                 file_name,
                                 features::Excerpt(column.reader.column().name()),
                                 first.value_or(range.maximum)),
                 "correct the cell, or drop the column");
}

absl::Status FitNumber(const MarkedColumn& column,
                       const FitOptions& options,
                       FittedColumn& fitted) {
  ASSIGN_OR_RETURN(const NumberLook look, LookAt(column));
  FeatureTransform& transform = *fitted.feature;
  ASSIGN_OR_RETURN(*transform.mutable_linear(), Scale(column, look, options.scaling));
  transform.set_number(0);
  if (look.counts.count() > 0) {
    ASSIGN_OR_RETURN(const double median, Median(look.counts, [&](NumberSink sink) {
                       return column.ForEachTrained(sink);
                     }));
    transform.set_number(median);
  }
  fitted.missing_count = look.missing_count;
  return CheckRange(column, look.all, transform.linear(), options.file_name);
}

absl::Status FitCategory(const MarkedColumn& column, FittedColumn& fitted) {
  std::map<std::string, std::int64_t> counts;  // ascending bytes
  const auto add = [&](const ColumnCells& cells, std::int64_t first) {
    std::vector<std::int64_t> by_code(cells.dictionary.size());
    const std::uint8_t* const mark = column.marks.data() + first;
    for (std::size_t i = 0; i < cells.valid.size(); ++i) {
      if (cells.valid[i] == 0) {
        fitted.missing_count += mark[i] == features::kDropped ? 0 : 1;
      } else if (mark[i] == schema::v1::SPLIT_TRAIN) {
        ++by_code[static_cast<std::size_t>(cells.codes[i])];
      }
    }
    for (std::size_t code = 0; code < by_code.size(); ++code) {
      if (by_code[code] > 0) {
        counts[std::string(cells.dictionary[code])] += by_code[code];
      }
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(column.reader.ForEach(add));
  FeatureTransform& transform = *fitted.feature;
  transform.mutable_one_hot();
  transform.set_category("");
  std::int64_t most = 0;
  for (const auto& entry : counts) {
    transform.mutable_one_hot()->add_categories(entry.first);
    if (entry.second > most) {
      most = entry.second;
      transform.set_category(entry.first);
    }
  }
  return absl::OkStatus();
}

absl::Status FitLabel(const MarkedColumn& column, const FitOptions& options, FittedColumn& fitted) {
  if (options.task == schema::v1::TASK_REGRESSION) {
    LinearEncoding as_it_is;
    as_it_is.set_scale(1);
    ASSIGN_OR_RETURN(const NumberLook look, LookAt(column));
    return CheckRange(column, look.all, as_it_is, options.file_name);
  }
  ASSIGN_OR_RETURN(
      std::vector<std::string> classes,
      features::ClassesOf(
          column.reader, column.marks, static_cast<std::size_t>(features::kClassesMax)));
  const auto positive = std::find(classes.begin(), classes.end(), options.positive_class);
  if (positive != classes.end()) {
    std::rotate(positive, std::next(positive), classes.end());
  }
  for (std::string& name : classes) {
    fitted.label->add_classes(std::move(name));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FittedColumn> FitColumn(features::ColumnReader& reader,
                                       const Column& column,
                                       const features::RowMarks& marks,
                                       const FitOptions& options) {
  FittedColumn fitted;
  const MarkedColumn marked{.reader = reader, .marks = marks};
  if (column.role() == schema::v1::COLUMN_ROLE_LABEL) {
    *fitted.label.emplace().mutable_column() = column;
    RETURN_IF_ERROR(FitLabel(marked, options, fitted));
  }
  if (column.role() == schema::v1::COLUMN_ROLE_FEATURE) {
    *fitted.feature.emplace().mutable_column() = column;
    RETURN_IF_ERROR(features::IsNumeric(column.type()) ? FitNumber(marked, options, fitted)
                                                       : FitCategory(marked, fitted));
  }
  return fitted;
}

absl::StatusOr<schema::v1::TransformSet> JoinTransforms(const schema::v1::Schema& schema,
                                                        std::vector<FittedColumn> columns) {
  schema::v1::TransformSet set;
  set.set_task(schema.task());
  *set.mutable_missing_spellings() = schema.missing_spellings();
  int inputs = 0;
  for (FittedColumn& column : columns) {
    if (column.label.has_value()) {
      *set.mutable_label() = *std::move(column.label);
    }
    if (column.feature.has_value()) {
      inputs += column.feature->has_one_hot() ? column.feature->one_hot().categories_size() + 1 : 1;
      *set.add_features() = *std::move(column.feature);
    }
  }
  set.set_input_count(inputs);
  // What is given to others must be what they accept.
  RETURN_IF_ERROR(features::Transformer::Create(set).status());
  return set;
}

std::vector<v1::CleaningEffect> ImputedCells(const std::vector<FittedColumn>& columns) {
  std::vector<v1::CleaningEffect> effects;
  for (const FittedColumn& column : columns) {
    if (!column.feature.has_value() || column.missing_count == 0) {
      continue;
    }
    const FeatureTransform& feature = *column.feature;
    v1::CleaningEffect& effect = effects.emplace_back();
    effect.set_rule("imputed_cells");
    effect.set_column(feature.column().name());
    effect.set_count(column.missing_count);
    const std::string stand_in =
        feature.has_one_hot()
            ? fmt::format("'{}', the most frequent value", features::Excerpt(feature.category()))
            : fmt::format("{}, the median", feature.number());
    effect.set_explanation(
        fmt::format("missing cells are read as {} of the train split, here and "
                    "in predictions; drop the column if that is not wanted",
                    stand_in));
  }
  return effects;
}

}  // namespace millrace::data
