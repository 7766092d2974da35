// CSV: the same rows and the same error in any chunks, in two stretches, and when written again.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/csv/record_scan.h"
#include "common/csv/tokenizer.h"
#include "common/status/check.h"
#include "tests/support/csv_reading.h"

namespace millrace::csv {
namespace {

bool IsSame(const Reading& a, const Reading& b) {
  return a.rows == b.rows && a.lines == b.lines && a.status == b.status;
}

// Every cell in quotes.
std::string Written(const Rows& rows, char delimiter) {
  std::string text;
  for (const auto& row : rows) {
    for (const std::string& cell : row) {
      text += '"';
      for (const char c : cell) {
        text.append(c == '"' ? 2 : 1, c);
      }
      text += '"';
      text += delimiter;
    }
    text.back() = '\n';
  }
  return text;
}

// Cuts where the scan says that a record ends, as an import does that reads on several threads.
Reading ReadInTwo(std::string_view text, const TokenizerOptions& options) {
  RecordScan scan;
  scan.Add(text.substr(0, text.size() / 2));
  const std::size_t end = scan.end();
  Reading reading = Read(text.substr(0, end), text.size(), options);
  if (!reading.status.ok()) {
    return reading;
  }
  TokenizerOptions rest = options;
  rest.stretch.first_line = 1 + scan.line_feeds();
  rest.stretch.width =
      reading.rows.empty() ? 0 : static_cast<std::int64_t>(reading.rows.front().size());
  const Reading second = Read(text.substr(end), text.size(), rest);
  reading.rows.insert(reading.rows.end(), second.rows.begin(), second.rows.end());
  reading.lines.insert(reading.lines.end(), second.lines.begin(), second.lines.end());
  reading.status = second.status;
  return reading;
}

void Hold(std::string_view choices, std::string_view text) {
  const auto choice = static_cast<unsigned char>(choices[0]);
  TokenizerOptions options;
  options.delimiter = std::string_view(",;\t|")[choice & 3U];
  options.same_width = (choice & 4U) == 0;
  const bool limited = (choice & 8U) != 0;
  if (limited) {
    options.limits = {.columns_max = 4, .cell_bytes_max = 16, .row_bytes_max = 40};
  }
  const Reading whole = Read(text, text.size() + 1, options);
  CHECK(whole.status.ok() || absl::IsInvalidArgument(whole.status));

  TokenizerOptions small = options;
  small.parse_bytes = 1 + static_cast<unsigned char>(choices[1]);
  CHECK(IsSame(whole, Read(text, 1 + static_cast<unsigned char>(choices[2]), small)));
  if (limited) {
    return;
  }
  CHECK(IsSame(whole, ReadInTwo(text, options)));
  const Reading again = Read(Written(whole.rows, options.delimiter), text.size() + 1, options);
  CHECK(again.status.ok() && again.rows == whole.rows);
}

}  // namespace
}  // namespace millrace::csv

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kChoices = 3;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (size >= kChoices) {
    millrace::csv::Hold(input.substr(0, kChoices), input.substr(kChoices));
  }
  return 0;
}
