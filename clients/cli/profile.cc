#include "clients/cli/profile.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/schema/v1/schema.pb.h"
#include "millrace/schema/v1/statistics.pb.h"

#include "clients/cli/sparkline.h"
#include "clients/cli/spelling.h"
#include "clients/cli/table.h"

namespace millrace::cli {

namespace {

using schema::v1::ColumnStatistics;

std::string Percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? "0 %"
                    : fmt::format("{:.3g} %",
                                  100 * static_cast<double>(part) / static_cast<double>(whole));
}

// The most frequent values with their shares.
std::string Top(const ColumnStatistics& column, bool all) {
  const int shown = all ? column.top_values_size() : std::min(3, column.top_values_size());
  std::vector<std::string> top;
  top.reserve(static_cast<std::size_t>(shown) + 1);
  for (int i = 0; i < shown; ++i) {
    top.push_back(fmt::format("{} {}",
                              column.top_values(i).value(),
                              Percent(column.top_values(i).count(), column.count())));
  }
  if (column.top_values_size() > shown) {
    top.emplace_back("...");
  }
  return fmt::format("{}", fmt::join(top, ", "));
}

}  // namespace

schema::v1::ColumnType TypeOf(const schema::v1::Schema& schema, const std::string& column) {
  for (const schema::v1::Column& known : schema.columns()) {
    if (known.name() == column) {
      return known.type();
    }
  }
  return schema::v1::COLUMN_TYPE_UNSPECIFIED;
}

std::string ProfileTable(const data::v1::DatasetVersion& version,
                         const schema::v1::Statistics& statistics,
                         TableStyle style,
                         bool utf8) {
  Table table({"COLUMN",
               "TYPE",
               ">MISSING",
               ">DISTINCT",
               ">MINIMUM",
               ">MEAN",
               ">MAXIMUM",
               "+>DEVIATION",
               "+>5 %",
               "+>MEDIAN",
               "+>95 %",
               "DISTRIBUTION"});
  constexpr int kQuantiles = 7;  // at 0, 5, 25, 50, 75, 95 and 100 percent
  for (const ColumnStatistics& column : statistics.columns()) {
    const schema::v1::NumberStatistics& numbers = column.numbers();
    const schema::v1::ColumnType type = TypeOf(version.schema(), column.column());
    const auto number = [&](double value) {
      return column.has_numbers() ? SpellCell(value, type) : std::string();
    };
    const auto quantile = [&](int place) {
      return numbers.quantiles_size() == kQuantiles ? number(numbers.quantiles(place)) : "";
    };
    table.Add(
        {column.column(),
         type == schema::v1::COLUMN_TYPE_UNSPECIFIED ? std::string() : Spell(type),
         Percent(column.missing_count(), column.count()),
         fmt::format("{}{}", column.distinct_estimated() ? "~" : "", column.distinct_count()),
         number(numbers.minimum()),
         number(numbers.mean()),
         number(numbers.maximum()),
         column.has_numbers() ? Spell(numbers.standard_deviation()) : std::string(),
         quantile(1),
         quantile(3),
         quantile(5),
         column.has_numbers() ? Sparkline(numbers.histogram(), utf8) : Top(column, style.piped)});
  }
  return table.ToString(style);
}

}  // namespace millrace::cli
