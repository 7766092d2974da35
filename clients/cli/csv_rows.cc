#include "clients/cli/csv_rows.h"

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <ios>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "clients/cli/input_file.h"
#include "common/csv/tokenizer.h"
#include "common/status/status.h"

namespace millrace::cli {

absl::StatusOr<CsvRows> ReadCsv(const std::string& path, char delimiter) {
  ASSIGN_OR_RETURN(InputFile input, OpenInput(path, "a CSV file with a header"));
  std::ifstream& file = input.stream;
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
  while (file.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || file.gcount() > 0) {
    RETURN_IF_ERROR(tokenizer.Feed({chunk.data(), static_cast<std::size_t>(file.gcount())}, take));
  }
  if (file.bad()) {
    return DataLoss("reading {} failed", name);
  }
  RETURN_IF_ERROR(tokenizer.Finish(take));
  if (rows.rows.empty()) {
    return WithFix(
        InvalidArgument(
            "{} {}", name, rows.columns.empty() ? "is empty" : "has no row below its header"),
        "give a header and at least one row below it");
  }
  return rows;
}

}  // namespace millrace::cli
