#include "services/data/fit/fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "common/features/cell.h"
#include "common/features/transform_check.h"
#include "common/features/transformer.h"
#include "common/statistics/moments.h"
#include "common/statistics/number_block.h"
#include "common/statistics/range.h"
#include "common/status/status.h"
#include "services/data/fit/median.h"

namespace millrace::data {

namespace {

using features::ColumnCells;
using schema::v1::Column;
using schema::v1::FeatureTransform;
using schema::v1::LinearEncoding;

// What the first pass over a column of numbers gives.
struct NumberLook {
  statistics::Range kept;     // of the rows that are kept
  statistics::Moments train;  // of the train split
  LeadingCounts counts;       // likewise
  std::int64_t missing_count = 0;
};

// The cells of a column with the marks of their rows.
struct MarkedColumn {
  features::ColumnReader& reader;
  const features::RowMarks& marks;

  // Gives the numbers of the rows that `wanted` takes by their mark, in blocks.
  template <typename Wanted>
  absl::Status ForEachNumber(const Wanted& wanted, NumberSink sink) const {
    statistics::NumberBlock block;
    const auto add = [&](const ColumnCells& cells, std::int64_t first) {
      const std::uint8_t* const mark = marks.data() + first;
      for (std::size_t i = 0; i < cells.valid.size(); ++i) {
        if (block.Add(cells.numbers[i], cells.valid[i] != 0 && wanted(mark[i]))) {
          sink(block.Take());
        }
      }
      return absl::OkStatus();
    };
    RETURN_IF_ERROR(reader.ForEach(add));
    sink(block.Take());
    return absl::OkStatus();
  }

  // Of the train split.
  absl::Status ForEachTrained(NumberSink sink) const {
    return ForEachNumber([](std::uint8_t mark) { return mark == schema::v1::SPLIT_TRAIN; }, sink);
  }
};

absl::StatusOr<NumberLook> LookAt(const MarkedColumn& column) {
  NumberLook look;
  statistics::NumberBlock kept;
  statistics::NumberBlock train;
  const auto add_train = [&] {
    const std::span<const double> numbers = train.Take();
    look.train.Add(numbers);
    look.counts.Add(numbers);
  };
  const auto add = [&](const ColumnCells& cells, std::int64_t first) {
    const std::uint8_t* const mark = column.marks.data() + first;
    for (std::size_t i = 0; i < cells.valid.size(); ++i) {
      const bool has_value = cells.valid[i] != 0;
      look.missing_count += !has_value && mark[i] != features::kDropped ? 1 : 0;
      if (kept.Add(cells.numbers[i], has_value && mark[i] != features::kDropped)) {
        look.kept.Add(kept.Take());
      }
      if (train.Add(cells.numbers[i], has_value && mark[i] == schema::v1::SPLIT_TRAIN)) {
        add_train();
      }
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(column.reader.ForEach(add));
  look.kept.Add(kept.Take());
  add_train();
  return look;
}

LinearEncoding Standard(const statistics::Moments& train) {
  LinearEncoding encoding;
  encoding.set_offset(train.mean());
  encoding.set_scale(1 / train.StandardDeviation());
  return encoding;
}

LinearEncoding MinMax(const statistics::Moments& train) {
  LinearEncoding encoding;
  encoding.set_offset(train.minimum());
  encoding.set_scale(1 / (train.maximum() - train.minimum()));
  return encoding;
}

LinearEncoding Scale(const statistics::Moments& train, v1::Scaling scaling) {
  LinearEncoding encoding;
  if (scaling == v1::SCALING_NONE) {
    encoding.set_scale(1);
    return encoding;
  }
  if (train.count() == 0) {
    return encoding;
  }
  encoding = scaling == v1::SCALING_STANDARD ? Standard(train) : MinMax(train);
  // No spread, or one too small to divide by.
  if (train.minimum() == train.maximum() || !std::isfinite(encoding.scale())) {
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
                        const statistics::Range& kept,
                        const LinearEncoding& encoding,
                        std::string_view file_name) {
  const bool is_empty = kept.minimum > kept.maximum;
  if (is_empty || (FitsFloat(kept.minimum, encoding) && FitsFloat(kept.maximum, encoding))) {
    return absl::OkStatus();
  }
  std::optional<double> first;
  const auto is_kept = [](std::uint8_t mark) { return mark != features::kDropped; };
  RETURN_IF_ERROR(column.ForEachNumber(is_kept, [&](std::span<const double> numbers) {
    const auto found = std::find_if(numbers.begin(), numbers.end(), [&](double number) {
      return !FitsFloat(number, encoding);
    });
    if (!first.has_value() && found != numbers.end()) {
      first = *found;
    }
  }));
  return WithFix(InvalidArgument("{}: column '{}' has numbers that a float32 cannot hold once "
                                 "scaled, found {}",
                                 file_name,
                                 features::Excerpt(column.reader.column().name()),
                                 first.value_or(kept.maximum)),
                 "correct the cell, or drop the column");
}

absl::Status FitNumber(const MarkedColumn& column,
                       const FitOptions& options,
                       FittedColumn& fitted) {
  ASSIGN_OR_RETURN(const NumberLook look, LookAt(column));
  FeatureTransform& transform = *fitted.feature;
  *transform.mutable_linear() = Scale(look.train, options.scaling);
  transform.set_number(0);
  if (look.counts.count() > 0) {
    ASSIGN_OR_RETURN(const double median, Median(look.counts, [&](NumberSink sink) {
                       return column.ForEachTrained(sink);
                     }));
    transform.set_number(median);
  }
  fitted.missing_count = look.missing_count;
  return CheckRange(column, look.kept, transform.linear(), options.file_name);
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
    return CheckRange(column, look.kept, as_it_is, options.file_name);
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
