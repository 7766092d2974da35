#include "common/statistics/summary.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/statistics/distinct_counter.h"
#include "common/statistics/frequent_texts.h"
#include "common/statistics/histogram.h"
#include "common/statistics/moments.h"
#include "common/statistics/number_block.h"
#include "common/statistics/quantile_sketch.h"
#include "common/status/status.h"

namespace millrace::statistics {

namespace {

using features::ColumnCells;
using schema::v1::Column;
using schema::v1::ColumnStatistics;

constexpr std::size_t kParts = 4;
constexpr std::size_t kTopValueBytes = 256;

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

void AddTopValues(const std::vector<FrequentTexts::Frequent>& values,
                  ColumnStatistics& statistics) {
  for (const FrequentTexts::Frequent& value : values) {
    schema::v1::TopValue& out = *statistics.add_top_values();
    out.set_value(std::string(Cut(value.text)));
    out.set_count(value.count);
  }
}

void SetDistinct(const DistinctCounter& distinct, ColumnStatistics& statistics) {
  statistics.set_distinct_count(distinct.Count());
  statistics.set_distinct_estimated(distinct.is_estimate());
}

// Cells of some rows of a column, counted.
struct CellCounts {
  std::int64_t count = 0;
  std::int64_t missing = 0;

  void Merge(const CellCounts& other) {
    count += other.count;
    missing += other.missing;
  }
};

// The numbers of some rows of a column.
struct NumberPart {
  CellCounts cells;
  std::int64_t ones = 0;  // for booleans
  Moments moments;
  QuantileSketch quantiles;
  DistinctCounter distinct;
  std::optional<Histogram> histogram;
  NumberBlock block;  // numbers that wait for the rest of their block

  void AddBlock() {
    const std::span<const double> numbers = block.Take();
    moments.Add(numbers);
    quantiles.Add(numbers);
    distinct.AddNumbers(numbers);
    ones += std::count(numbers.begin(), numbers.end(), 1.0);
  }

  void Merge(const NumberPart& other) {
    cells.Merge(other.cells);
    ones += other.ones;
    moments.Merge(other.moments);
    quantiles.Merge(other.quantiles);
    distinct.Merge(other.distinct);
  }
};

void NameBooleans(const Column& column, const NumberPart& part, ColumnStatistics& statistics) {
  const std::int64_t no = part.moments.count() - part.ones;
  std::vector<FrequentTexts::Frequent> values = {
      {.text = column.true_spelling(), .count = part.ones},
      {.text = column.false_spelling(), .count = no}};
  if (no > part.ones || (no == part.ones && values[1].text < values[0].text)) {
    std::swap(values[0], values[1]);
  }
  values.resize(values.back().count == 0 ? 1 : 2);
  AddTopValues(values, statistics);
}

ColumnStatistics Told(const Column& column, const NumberPart& part) {
  ColumnStatistics statistics;
  statistics.set_column(column.name());
  statistics.set_count(part.cells.count);
  statistics.set_missing_count(part.cells.missing);
  if (part.moments.count() == 0) {
    return statistics;
  }
  SetDistinct(part.distinct, statistics);
  schema::v1::NumberStatistics& out = *statistics.mutable_numbers();
  out.set_minimum(part.moments.minimum());
  out.set_maximum(part.moments.maximum());
  out.set_mean(part.moments.mean());
  out.set_standard_deviation(part.moments.StandardDeviation());
  const std::vector<double> answers = part.quantiles.Quantiles({0, 0.05, 0.25, 0.5, 0.75, 0.95, 1});
  out.mutable_quantiles()->Add(answers.begin(), answers.end());
  out.mutable_histogram()->Add(part.histogram->counts().begin(), part.histogram->counts().end());
  if (column.type() == schema::v1::COLUMN_TYPE_BOOLEAN) {
    NameBooleans(column, part, statistics);
  }
  return statistics;
}

std::span<const std::uint8_t> MarksOf(const ColumnCells& cells,
                                      std::int64_t first,
                                      const features::RowMarks& marks) {
  return std::span(marks).subspan(static_cast<std::size_t>(first), cells.valid.size());
}

using NumberParts = std::array<NumberPart, kParts>;

void AddNumbers(const ColumnCells& cells, std::span<const std::uint8_t> mark, NumberParts& parts) {
  for (std::size_t i = 0; i < cells.valid.size(); ++i) {
    NumberPart& part = parts[mark[i]];
    ++part.cells.count;
    const bool has_value = cells.valid[i] != 0;
    part.cells.missing += has_value ? 0 : 1;
    if (part.block.Add(cells.numbers[i], has_value)) {
      part.AddBlock();
    }
  }
}

void AddBlockToHistograms(NumberPart& part, NumberPart& all) {
  const std::span<const double> numbers = part.block.Take();
  if (!numbers.empty()) {
    part.histogram->Add(numbers);
    all.histogram->Add(numbers);
  }
}

void AddToHistograms(const ColumnCells& cells,
                     std::span<const std::uint8_t> mark,
                     NumberParts& parts,
                     NumberPart& all) {
  for (std::size_t i = 0; i < cells.valid.size(); ++i) {
    NumberPart& part = parts[mark[i]];
    if (part.block.Add(cells.numbers[i], cells.valid[i] != 0)) {
      AddBlockToHistograms(part, all);
    }
  }
}

absl::StatusOr<ColumnSummary> SummarizeNumbers(features::ColumnReader& reader,
                                               const features::RowMarks& marks) {
  NumberParts parts;
  NumberPart all;
  RETURN_IF_ERROR(reader.ForEach([&](const ColumnCells& cells, std::int64_t first) {
    AddNumbers(cells, MarksOf(cells, first, marks), parts);
    return absl::OkStatus();
  }));
  for (NumberPart& part : parts) {
    part.AddBlock();
    all.Merge(part);
    if (part.moments.count() > 0) {
      part.histogram.emplace(part.moments.minimum(), part.moments.maximum());
    }
  }
  if (all.moments.count() > 0) {
    all.histogram.emplace(all.moments.minimum(), all.moments.maximum());
    RETURN_IF_ERROR(reader.ForEach([&](const ColumnCells& cells, std::int64_t first) {
      AddToHistograms(cells, MarksOf(cells, first, marks), parts, all);
      return absl::OkStatus();
    }));
    for (NumberPart& part : parts) {
      AddBlockToHistograms(part, all);
    }
  }
  ColumnSummary summary{.all = Told(reader.column(), all), .of_mark = {}};
  for (std::size_t i = 0; i < kParts; ++i) {
    summary.of_mark[i] = Told(reader.column(), parts[i]);
  }
  return summary;
}

// The texts of some rows of a column.
struct TextPart {
  CellCounts cells;
  DistinctCounter distinct;
};

using TextParts = std::array<TextPart, kParts>;

// A text of a group that a row has, and how many rows of each mark have it.
struct CountedText {
  std::uint64_t hash = 0;
  std::string_view text;
  PartCounts counts{};
};

std::vector<CountedText> TextsOf(const ColumnCells& cells, std::span<const std::uint8_t> mark) {
  std::vector<PartCounts> counts(cells.dictionary.size());
  for (std::size_t i = 0; i < cells.valid.size(); ++i) {
    if (cells.valid[i] != 0) {
      ++counts[static_cast<std::size_t>(cells.codes[i])][mark[i]];
    }
  }
  std::vector<CountedText> texts;
  texts.reserve(counts.size());
  for (std::size_t code = 0; code < counts.size(); ++code) {
    if (counts[code] != PartCounts{}) {
      const std::string_view text = cells.dictionary[code];
      texts.push_back(
          {.hash = DistinctCounter::HashOf(text), .text = text, .counts = counts[code]});
    }
  }
  return texts;
}

void AddTexts(const ColumnCells& cells,
              std::span<const std::uint8_t> mark,
              TextParts& parts,
              FrequentTexts* frequent) {
  for (std::size_t i = 0; i < cells.valid.size(); ++i) {
    ++parts[mark[i]].cells.count;
    parts[mark[i]].cells.missing += cells.valid[i] == 0 ? 1 : 0;
  }
  for (const CountedText& text : TextsOf(cells, mark)) {
    for (std::size_t part = 0; part < kParts; ++part) {
      if (text.counts[part] > 0) {
        parts[part].distinct.AddTextHash(text.hash);
      }
    }
    if (frequent != nullptr) {
      frequent->Add(text.hash, text.counts);
    }
  }
}

// The second and the third look at texts, as far as they are needed.
absl::Status NameTexts(features::ColumnReader& reader,
                       const features::RowMarks& marks,
                       FrequentTexts& frequent) {
  const auto count = [&](const ColumnCells& cells, std::int64_t first) {
    for (const CountedText& text : TextsOf(cells, MarksOf(cells, first, marks))) {
      frequent.Count(text.hash, text.counts);
    }
    return absl::OkStatus();
  };
  const auto name = [&](const ColumnCells& cells, std::int64_t first) {
    for (const CountedText& text : TextsOf(cells, MarksOf(cells, first, marks))) {
      frequent.Name(text.hash, text.text);
    }
    return absl::OkStatus();
  };
  if (frequent.NeedsCount()) {
    RETURN_IF_ERROR(reader.ForEach(count));
  }
  return frequent.empty() ? absl::OkStatus() : reader.ForEach(name);
}

ColumnStatistics Told(const Column& column,
                      const TextPart& part,
                      const std::vector<FrequentTexts::Frequent>& top) {
  ColumnStatistics statistics;
  statistics.set_column(column.name());
  statistics.set_count(part.cells.count);
  statistics.set_missing_count(part.cells.missing);
  SetDistinct(part.distinct, statistics);
  AddTopValues(top, statistics);
  return statistics;
}

absl::StatusOr<ColumnSummary> SummarizeTexts(features::ColumnReader& reader,
                                             const features::RowMarks& marks) {
  TextParts parts;
  FrequentTexts frequent;
  const bool named = reader.column().type() != schema::v1::COLUMN_TYPE_IDENTIFIER;
  RETURN_IF_ERROR(reader.ForEach([&](const ColumnCells& cells, std::int64_t first) {
    AddTexts(cells, MarksOf(cells, first, marks), parts, named ? &frequent : nullptr);
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(NameTexts(reader, marks, frequent));
  TextPart all;
  for (const TextPart& part : parts) {
    all.cells.Merge(part.cells);
    all.distinct.Merge(part.distinct);
  }
  ColumnSummary summary{.all = Told(reader.column(), all, frequent.OfAll()), .of_mark = {}};
  for (std::size_t i = 0; i < kParts; ++i) {
    summary.of_mark[i] = Told(reader.column(), parts[i], frequent.OfPart(i));
  }
  return summary;
}

}  // namespace

absl::StatusOr<ColumnSummary> Summarize(features::ColumnReader& reader,
                                        const features::RowMarks& marks) {
  return features::IsNumeric(reader.column().type()) ? SummarizeNumbers(reader, marks)
                                                     : SummarizeTexts(reader, marks);
}

}  // namespace millrace::statistics
