#include "common/statistics/summary.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "common/statistics/distinct_counter.h"
#include "common/statistics/histogram.h"
#include "common/statistics/moments.h"
#include "common/statistics/quantile_sketch.h"

namespace millrace::statistics {

namespace {

using features::ColumnCells;
using schema::v1::Column;
using schema::v1::ColumnStatistics;

constexpr std::size_t kTopValues = 10;
constexpr std::size_t kTopValueBytes = 256;

struct Counted {
  std::string_view text;
  std::int64_t count = 0;
};

// `text` cut to kTopValueBytes between two characters.
std::string_view Cut(std::string_view text) {
  if (text.size() <= kTopValueBytes) {
    return text;
  }
  std::size_t end = kTopValueBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  return text.substr(0, end);
}

// The most frequent first; of equally frequent ones the first in byte order.
void AddTopValues(std::vector<Counted> values, ColumnStatistics& statistics) {
  const auto top = static_cast<std::ptrdiff_t>(std::min(kTopValues, values.size()));
  std::partial_sort(
      values.begin(), values.begin() + top, values.end(), [](const auto& left, const auto& right) {
        return left.count != right.count ? left.count > right.count : left.text < right.text;
      });
  for (std::ptrdiff_t i = 0; i < top; ++i) {
    const Counted& value = values[static_cast<std::size_t>(i)];
    schema::v1::TopValue& out = *statistics.add_top_values();
    out.set_value(std::string(Cut(value.text)));
    out.set_count(value.count);
  }
}

void SetDistinct(const DistinctCounter& distinct, ColumnStatistics& statistics) {
  statistics.set_distinct_count(distinct.Count());
  statistics.set_distinct_estimated(distinct.is_estimate());
}

void MeasureNumbers(const std::vector<double>& numbers, ColumnStatistics& statistics) {
  if (numbers.empty()) {
    return;
  }
  Moments moments;
  QuantileSketch quantiles;
  DistinctCounter distinct;
  for (const double number : numbers) {
    moments.Add(number);
    quantiles.Add(number);
    distinct.AddNumber(number);
  }
  Histogram histogram(moments.minimum(), moments.maximum());
  for (const double number : numbers) {
    histogram.Add(number);
  }
  SetDistinct(distinct, statistics);
  schema::v1::NumberStatistics& out = *statistics.mutable_numbers();
  out.set_minimum(moments.minimum());
  out.set_maximum(moments.maximum());
  out.set_mean(moments.mean());
  out.set_standard_deviation(moments.StandardDeviation());
  const std::vector<double> answers = quantiles.Quantiles({0, 0.05, 0.25, 0.5, 0.75, 0.95, 1});
  out.mutable_quantiles()->Add(answers.begin(), answers.end());
  out.mutable_histogram()->Add(histogram.counts().begin(), histogram.counts().end());
}

void MeasureNumericColumn(const Column& column,
                          const ColumnCells& cells,
                          std::span<const std::int64_t> rows,
                          ColumnStatistics& statistics) {
  std::vector<double> numbers;
  numbers.reserve(rows.size());
  for (const std::int64_t row : rows) {
    const auto i = static_cast<std::size_t>(row);
    if (cells.valid[i] != 0) {
      numbers.push_back(cells.numbers[i]);
    }
  }
  statistics.set_missing_count(static_cast<std::int64_t>(rows.size() - numbers.size()));
  MeasureNumbers(numbers, statistics);
  if (column.type() == schema::v1::COLUMN_TYPE_BOOLEAN && !numbers.empty()) {
    const std::int64_t yes = std::count(numbers.begin(), numbers.end(), 1.0);
    const std::int64_t no = static_cast<std::int64_t>(numbers.size()) - yes;
    std::vector<Counted> values = {{column.true_spelling(), yes}, {column.false_spelling(), no}};
    values.erase(
        std::remove_if(
            values.begin(), values.end(), [](const Counted& value) { return value.count == 0; }),
        values.end());
    AddTopValues(std::move(values), statistics);
  }
}

void MeasureTextColumn(const Column& column,
                       const ColumnCells& cells,
                       std::span<const std::int64_t> rows,
                       ColumnStatistics& statistics) {
  std::vector<std::int64_t> counts(cells.dictionary.size());
  std::int64_t missing = 0;
  for (const std::int64_t row : rows) {
    const auto i = static_cast<std::size_t>(row);
    if (cells.valid[i] == 0) {
      ++missing;
    } else {
      ++counts[static_cast<std::size_t>(cells.codes[i])];
    }
  }
  statistics.set_missing_count(missing);
  std::vector<Counted> values;
  DistinctCounter distinct;
  for (std::size_t code = 0; code < counts.size(); ++code) {
    if (counts[code] > 0) {
      values.push_back({.text = cells.dictionary[code], .count = counts[code]});
      distinct.AddText(cells.dictionary[code]);
    }
  }
  SetDistinct(distinct, statistics);
  if (column.type() != schema::v1::COLUMN_TYPE_IDENTIFIER) {
    AddTopValues(std::move(values), statistics);
  }
}

}  // namespace

schema::v1::Statistics Summarize(const features::Table& table, std::span<const std::int64_t> rows) {
  schema::v1::Statistics statistics;
  statistics.set_row_count(static_cast<std::int64_t>(rows.size()));
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const Column& column = table.schema.columns(static_cast<int>(c));
    ColumnStatistics& out = *statistics.add_columns();
    out.set_column(column.name());
    out.set_count(static_cast<std::int64_t>(rows.size()));
    if (features::IsNumeric(column.type())) {
      MeasureNumericColumn(column, table.columns[c], rows, out);
    } else {
      MeasureTextColumn(column, table.columns[c], rows, out);
    }
  }
  return statistics;
}

schema::v1::Statistics Summarize(const features::Table& table) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(table.row_count()));
  std::iota(rows.begin(), rows.end(), 0);
  return Summarize(table, rows);
}

}  // namespace millrace::statistics
