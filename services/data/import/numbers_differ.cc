#include "services/data/import/numbers_differ.h"

#include <cstdint>
#include <limits>
#include <vector>

#include <absl/functional/function_ref.h>

#include "common/status/status.h"
#include "common/storage/record_sorter.h"
#include "services/data/import/inference.h"

namespace millrace::data {

namespace {

// Gives the column's numbers, one group at a time, until `sink` says that it has seen enough.
absl::Status ForEachGroup(const SpilledFile& file,
                          std::size_t column,
                          absl::FunctionRef<absl::StatusOr<bool>(std::vector<double>)> sink) {
  for (const SpilledGroup& group : file.groups) {
    ASSIGN_OR_RETURN(const features::ColumnCells cells,
                     file.spill->Read(group.at, column, group.rows));
    std::vector<double> numbers;
    for (std::size_t i = 0; i < cells.numbers.size(); ++i) {
      if (cells.valid[i] != 0) {
        numbers.push_back(cells.numbers[i]);
      }
    }
    ASSIGN_OR_RETURN(const bool more, sink(std::move(numbers)));
    if (!more) {
      break;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> NumbersDiffer(const SpilledFile& file,
                                   std::size_t column,
                                   const ColumnFacts& facts,
                                   const storage::Scratch& scratch) {
  bool differ = true;
  if (WouldFollow(facts)) {
    std::vector<bool> seen(static_cast<std::size_t>(facts.value_count));
    const auto mark = [&](const std::vector<double>& numbers) {
      for (const double number : numbers) {
        const auto place = static_cast<std::size_t>(number - facts.minimum);
        differ = differ && !seen[place];
        seen[place] = true;
      }
      return differ;
    };
    RETURN_IF_ERROR(ForEachGroup(file, column, mark));
    return differ;
  }
  constexpr std::size_t kBufferNumbers = std::size_t{1} << 20U;
  storage::RecordSorter<double> sorter(scratch, kBufferNumbers);
  const auto add = [&](const std::vector<double>& numbers) -> absl::StatusOr<bool> {
    RETURN_IF_ERROR(sorter.Add(numbers));
    return true;
  };
  RETURN_IF_ERROR(ForEachGroup(file, column, add));
  RETURN_IF_ERROR(sorter.Finish());
  double before = std::numeric_limits<double>::quiet_NaN();
  RETURN_IF_ERROR(sorter.ForEach([&](double number) {
    differ = differ && number != before;
    before = number;
    return absl::OkStatus();
  }));
  return differ;
}

}  // namespace millrace::data
