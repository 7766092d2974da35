#include "clients/cli/import_check.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "clients/cli/input_file.h"
#include "common/config/config.h"
#include "common/csv/dialect.h"
#include "common/csv/tokenizer.h"
#include "common/features/cell.h"
#include "common/resource/name.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using data::v1::ImportHeader;
using data::v1::ImportOptions;

constexpr std::size_t kSampleBytes = std::size_t{1} << 20U;

absl::Status CheckFractions(const ImportOptions& options) {
  const double train = options.train_fraction();
  const double validation = options.validation_fraction();
  if (!(train >= 0 && train <= 1)) {
    return InvalidArgument("options.train_fraction must be in (0, 1], found {}", train);
  }
  if (!(validation >= 0 && validation < 1)) {
    return InvalidArgument("options.validation_fraction must be in [0, 1), found {}", validation);
  }
  return absl::OkStatus();
}

absl::Status CheckColumn(const std::string& file,
                         const std::string& name,
                         std::string_view use,
                         const std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), name) != names.end()) {
    return absl::OkStatus();
  }
  constexpr std::size_t kShown = 8;
  const std::string closest = config::Closest(name, names);
  const std::vector<std::string> first(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, names.size())));
  return WithFix(
      InvalidArgument(
          "{}:1:1: {} must be one of {} columns, found '{}'", file, use, names.size(), name),
      closest.empty() ? fmt::format("its columns are: {}{}",
                                    fmt::join(first, ", "),
                                    first.size() < names.size() ? ", ..." : "")
                      : fmt::format("did you mean '{}'?", closest));
}

absl::Status CheckColumns(const std::string& file,
                          const ImportOptions& options,
                          const std::vector<std::string>& names) {
  if (!options.label().empty()) {
    RETURN_IF_ERROR(CheckColumn(file, options.label(), "the label", names));
  }
  for (const std::string& name : options.drop_columns()) {
    RETURN_IF_ERROR(CheckColumn(file, name, "a column to drop", names));
  }
  std::vector<std::string> typed;
  for (const auto& entry : options.column_types()) {
    typed.push_back(entry.first);
  }
  std::sort(typed.begin(), typed.end());
  for (const std::string& name : typed) {
    RETURN_IF_ERROR(CheckColumn(file, name, "a column whose type is given", names));
  }
  return absl::OkStatus();
}

// The cells of the first two records; their form is checked on the way.
absl::StatusOr<std::vector<std::vector<std::string>>> FirstRecords(const std::string& file,
                                                                   std::string_view sample,
                                                                   char delimiter) {
  std::vector<std::vector<std::string>> records;
  const auto take = [&records](const csv::Record& record) -> absl::Status {
    records.emplace_back(record.cells().begin(), record.cells().end());
    return records.size() == 2 ? Cancelled("enough") : absl::OkStatus();
  };
  csv::Tokenizer tokenizer(file, {.delimiter = delimiter});
  absl::Status read = tokenizer.Feed(sample, take);
  if (read.ok() && sample.size() < kSampleBytes) {
    read = tokenizer.Finish(take);
  }
  if (!read.ok() && !absl::IsCancelled(read)) {
    return read;
  }
  if (records.empty()) {
    return WithFix(InvalidArgument("{}:1:1: expected a header and rows, found an empty file", file),
                   "send a file with at least one row");
  }
  return records;
}

}  // namespace

absl::Status CheckImport(const std::string& path, const ImportHeader& header) {
  RETURN_IF_ERROR(ParseVersionedName("datasets", "header.dataset", header.dataset()).status());
  ASSIGN_OR_RETURN(InputFile input, OpenInput(path, "a CSV file"));
  const ImportOptions& options = header.options();
  RETURN_IF_ERROR(CheckFractions(options));
  std::string sample(std::min(kSampleBytes, static_cast<std::size_t>(input.size_bytes)), '\0');
  input.stream.read(sample.data(), static_cast<std::streamsize>(sample.size()));
  const bool whole = sample.size() < kSampleBytes;
  const char delimiter = options.delimiter().size() == 1
                             ? options.delimiter()[0]
                             : csv::DetectDelimiter(sample, whole).delimiter;
  const std::string file = std::filesystem::path(path).filename().string();
  ASSIGN_OR_RETURN(const auto records, FirstRecords(file, sample, delimiter));
  std::vector<std::string> names = records[0];
  // A file may have no header at all: then the names in it are no reason to refuse others.
  const bool numbered =
      options.header() == ImportOptions::HEADER_ABSENT ||
      (options.header() != ImportOptions::HEADER_PRESENT && options.label().starts_with("column_"));
  for (std::size_t i = 0; i < names.size(); ++i) {
    names[i] = std::string(features::Trim(names[i]));
    if (numbered || names[i].empty()) {
      names[i] = fmt::format("column_{}", i + 1);
    }
  }
  RETURN_IF_ERROR(CheckColumns(file, options, names));
  if (whole && records.size() == 1 && options.header() != ImportOptions::HEADER_ABSENT) {
    return WithFix(
        InvalidArgument("{}:2:1: expected rows below the header, found only the header", file),
        "add rows; if the first line is a row, import with header absent");
  }
  return absl::OkStatus();
}

}  // namespace millrace::cli
