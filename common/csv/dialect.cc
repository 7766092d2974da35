#include "common/csv/dialect.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>

#include "common/csv/tokenizer.h"

namespace millrace::csv {

namespace {

// How well a delimiter fits. Compared field by field: larger is better.
struct Fit {
  bool parts = false;            // the usual row has two cells or more
  bool clean = false;            // no error in the sample
  double regular_share = 0;      // rows with the usual number of cells
  std::int64_t usual_width = 0;  // the most frequent number of cells

  [[nodiscard]] auto Rank() const { return std::tie(parts, clean, regular_share, usual_width); }
};

Fit FitOf(char delimiter, std::string_view sample, bool is_whole_file) {
  std::map<std::int64_t, std::int64_t> rows_of_width;
  std::int64_t rows = 0;
  const auto count = [&](const Record& record) {
    ++rows_of_width[static_cast<std::int64_t>(record.cells().size())];
    ++rows;
    return absl::OkStatus();
  };
  Tokenizer tokenizer("", {.delimiter = delimiter, .same_width = false});
  absl::Status status = tokenizer.Feed(sample, count);
  if (status.ok() && is_whole_file) {
    status = tokenizer.Finish(count);
  }
  if (rows == 0) {
    return {};
  }
  // Of equally frequent widths the first, which is the smaller.
  const auto usual = std::max_element(
      rows_of_width.begin(), rows_of_width.end(), [](const auto& left, const auto& right) {
        return left.second < right.second;
      });
  return {.parts = usual->first > 1,
          .clean = status.ok(),
          .regular_share = static_cast<double>(usual->second) / static_cast<double>(rows),
          .usual_width = usual->first};
}

}  // namespace

DetectedDelimiter DetectDelimiter(std::string_view sample, bool is_whole_file) {
  DetectedDelimiter best;
  Fit best_fit;
  for (const char delimiter : {',', ';', '\t', '|'}) {
    const Fit fit = FitOf(delimiter, sample, is_whole_file);
    if (fit.parts && best_fit.Rank() < fit.Rank()) {
      best = {.delimiter = delimiter, .found = true};
      best_fit = fit;
    }
  }
  return best;
}

}  // namespace millrace::csv
