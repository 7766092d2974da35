#include "clients/cli/csv_rows.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/csv/tokenizer.h"
#include "common/status/status.h"

namespace millrace::cli {

absl::StatusOr<CsvRows> ReadCsv(const std::string& path, char delimiter) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return WithFix(NotFound("there is no file '{}'", path),
                   "--in takes the path of a CSV file with a header");
  }
  CsvRows rows;
  const auto take = [&rows](const csv::Record& record) {
    std::vector<std::string> cells(record.cells().begin(), record.cells().end());
    if (rows.columns.empty()) {
      rows.columns = std::move(cells);
    } else {
      rows.rows.push_back(std::move(cells));
    }
    return absl::OkStatus();
  };
  const std::string name = std::filesystem::path(path).filename().string();
  csv::Tokenizer tokenizer(name, {.delimiter = delimiter});
  std::vector<char> chunk(std::size_t{1} << 20);
  while (file.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) ||
         file.gcount() > 0) {
    RETURN_IF_ERROR(
        tokenizer.Feed({chunk.data(), static_cast<std::size_t>(file.gcount())}, take));
  }
  RETURN_IF_ERROR(tokenizer.Finish(take));
  if (rows.rows.empty()) {
    return WithFix(InvalidArgument("{} has no row below its header", name),
                   "give at least one row to predict");
  }
  return rows;
}

}  // namespace millrace::cli
