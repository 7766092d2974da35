#include "services/data/fit/fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "common/features/cell.h"
#include "common/features/transform_check.h"
#include "common/features/transformer.h"
#include "common/status/status.h"

namespace millrace::data {

namespace {

using features::ColumnCells;
using schema::v1::Column;
using schema::v1::FeatureTransform;
using schema::v1::LinearEncoding;

std::vector<double> NumbersOf(const ColumnCells& cells, std::span<const std::int64_t> rows) {
  std::vector<double> numbers;
  numbers.reserve(rows.size());
  for (const std::int64_t row : rows) {
    const auto i = static_cast<std::size_t>(row);
    if (cells.valid[i] != 0) {
      numbers.push_back(cells.numbers[i]);
    }
  }
  return numbers;
}

// Requires: not empty. Reorders.
double Median(std::vector<double>& numbers) {
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  const double upper = *middle;
  if (numbers.size() % 2 == 1) {
    return upper;
  }
  const double lower = *std::max_element(numbers.begin(), middle);
  return lower / 2 + upper / 2;  // halves cannot overflow
}

// Mean and population deviation, in two passes over few allocations: the first figure is exact
// enough for the second.
LinearEncoding Standard(const std::vector<double>& numbers) {
  const auto count = static_cast<double>(numbers.size());
  double mean = 0;
  for (const double number : numbers) {
    mean += number / count;
  }
  double squares = 0;
  for (const double number : numbers) {
    squares += (number - mean) * (number - mean) / count;
  }
  LinearEncoding encoding;
  encoding.set_offset(mean);
  encoding.set_scale(1 / std::sqrt(squares));
  return encoding;
}

LinearEncoding MinMax(const std::vector<double>& numbers) {
  const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
  LinearEncoding encoding;
  encoding.set_offset(*least);
  encoding.set_scale(1 / (*most - *least));
  return encoding;
}

LinearEncoding Scale(const std::vector<double>& numbers, v1::Scaling scaling) {
  LinearEncoding encoding;
  if (scaling == v1::SCALING_NONE) {
    encoding.set_scale(1);
    return encoding;
  }
  if (numbers.empty()) {
    return encoding;
  }
  encoding = scaling == v1::SCALING_STANDARD ? Standard(numbers) : MinMax(numbers);
  // No spread, or one too small to divide by.
  const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
  if (*least == *most || !std::isfinite(encoding.scale())) {
    encoding.set_scale(0);
  }
  return encoding;
}

// Whether both ends of a column, over all rows, stay in a float32 once scaled.
absl::Status CheckRange(const Column& column,
                        const ColumnCells& cells,
                        const LinearEncoding& encoding,
                        std::string_view file_name) {
  constexpr double kFloatMax = std::numeric_limits<float>::max();
  for (std::size_t i = 0; i < cells.valid.size(); ++i) {
    const double scaled = (cells.numbers[i] - encoding.offset()) * encoding.scale();
    if (cells.valid[i] != 0 && !(std::abs(scaled) <= kFloatMax)) {
      return WithFix(InvalidArgument("{}: column '{}' has numbers that a float32 cannot hold once "
                                     "scaled, found {}",
                                     file_name,
                                     features::Excerpt(column.name()),
                                     cells.numbers[i]),
                     "correct the cell, or drop the column");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<FeatureTransform> FitNumber(const Column& column,
                                           const ColumnCells& cells,
                                           std::span<const std::int64_t> train,
                                           v1::Scaling scaling,
                                           std::string_view file_name) {
  std::vector<double> numbers = NumbersOf(cells, train);
  FeatureTransform transform;
  *transform.mutable_column() = column;
  *transform.mutable_linear() = Scale(numbers, scaling);
  transform.set_number(numbers.empty() ? 0 : Median(numbers));
  RETURN_IF_ERROR(CheckRange(column, cells, transform.linear(), file_name));
  return transform;
}

FeatureTransform FitCategory(const Column& column,
                             const ColumnCells& cells,
                             std::span<const std::int64_t> train) {
  std::map<std::string, std::int64_t> counts;  // ascending bytes
  std::vector<std::int64_t> by_code(cells.dictionary.size());
  for (const std::int64_t row : train) {
    const auto i = static_cast<std::size_t>(row);
    if (cells.valid[i] != 0) {
      ++by_code[static_cast<std::size_t>(cells.codes[i])];
    }
  }
  for (std::size_t code = 0; code < by_code.size(); ++code) {
    if (by_code[code] > 0) {
      counts.emplace(cells.dictionary[code], by_code[code]);
    }
  }
  FeatureTransform transform;
  *transform.mutable_column() = column;
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
  return transform;
}

absl::StatusOr<schema::v1::LabelTransform> FitLabel(const Column& column,
                                                    const ColumnCells& cells,
                                                    schema::v1::Task task,
                                                    const v1::ImportOptions& options,
                                                    std::string_view file_name) {
  schema::v1::LabelTransform label;
  *label.mutable_column() = column;
  if (task == schema::v1::TASK_REGRESSION) {
    LinearEncoding as_it_is;
    as_it_is.set_scale(1);
    RETURN_IF_ERROR(CheckRange(column, cells, as_it_is, file_name));
    return label;
  }
  std::vector<std::string> classes =
      features::ClassesOf(column, cells, static_cast<std::size_t>(features::kClassesMax));
  const auto positive = std::find(classes.begin(), classes.end(), options.positive_class());
  if (positive != classes.end()) {
    std::rotate(positive, std::next(positive), classes.end());
  }
  for (std::string& name : classes) {
    label.add_classes(std::move(name));
  }
  return label;
}

}  // namespace

absl::StatusOr<schema::v1::TransformSet> FitTransforms(const features::Table& table,
                                                       std::span<const std::int64_t> train,
                                                       const v1::ImportOptions& options,
                                                       std::string_view file_name) {
  schema::v1::TransformSet set;
  set.set_task(table.schema.task());
  *set.mutable_missing_spellings() = table.schema.missing_spellings();
  int inputs = 0;
  for (int c = 0; c < table.schema.columns_size(); ++c) {
    const Column& column = table.schema.columns(c);
    const ColumnCells& cells = table.columns[static_cast<std::size_t>(c)];
    if (column.role() == schema::v1::COLUMN_ROLE_LABEL) {
      ASSIGN_OR_RETURN(*set.mutable_label(),
                       FitLabel(column, cells, set.task(), options, file_name));
    }
    if (column.role() != schema::v1::COLUMN_ROLE_FEATURE) {
      continue;
    }
    if (features::IsNumeric(column.type())) {
      ASSIGN_OR_RETURN(*set.add_features(),
                       FitNumber(column, cells, train, options.scaling(), file_name));
      ++inputs;
    } else {
      *set.add_features() = FitCategory(column, cells, train);
      inputs += set.features().rbegin()->one_hot().categories_size() + 1;
    }
  }
  set.set_input_count(inputs);
  // What is given to others must be what they accept.
  RETURN_IF_ERROR(features::Transformer::Create(set).status());
  return set;
}

std::vector<v1::CleaningEffect> ImputedCells(const features::Table& table,
                                             const schema::v1::TransformSet& transforms) {
  std::vector<v1::CleaningEffect> effects;
  for (const FeatureTransform& feature : transforms.features()) {
    const int index = table.IndexOf(feature.column().name());
    const ColumnCells& cells = table.columns[static_cast<std::size_t>(index)];
    const std::int64_t missing = std::count(cells.valid.begin(), cells.valid.end(), 0);
    if (missing == 0) {
      continue;
    }
    v1::CleaningEffect& effect = effects.emplace_back();
    effect.set_rule("imputed_cells");
    effect.set_column(feature.column().name());
    effect.set_count(missing);
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
