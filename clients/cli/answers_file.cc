#include "clients/cli/answers_file.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "clients/cli/private_file.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"

namespace millrace::cli {

namespace {

// `part-000000004096-1024`: the first row and how many. Sorted by name they are in order.
std::string PartName(std::int64_t first_row, std::int64_t rows) {
  return fmt::format("part-{:012}-{}", first_row, rows);
}

// How many rows the part has; 0 when it does not begin with `first_row` or is none.
std::int64_t RowsOf(const std::string& name, std::int64_t first_row) {
  const std::string begin = PartName(first_row, 0);
  const std::string_view number =
      std::string_view(name).substr(std::min(name.size(), begin.size() - 1));
  std::int64_t rows = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), rows);
  return error == std::errc() && name == PartName(first_row, rows) ? rows : 0;
}

}  // namespace

absl::StatusOr<AnswersFile> AnswersFile::Open(const std::string& folder) {
  storage::FileSystem& disk = storage::PosixFileSystem();
  RETURN_IF_ERROR(disk.MakeFolder(folder));
  absl::StatusOr<storage::FolderLock> lock = storage::FolderLock::Take(folder);
  if (!lock.ok()) {
    return WithFix(FailedPrecondition("another process is at the same work, in {}", folder),
                   "wait for it, or end it");
  }
  AnswersFile answers(*std::move(lock), folder);
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk.List(folder));
  for (const std::string& name : names) {
    if (const std::int64_t rows = RowsOf(name, answers.rows_); rows > 0) {
      answers.parts_.push_back(name);
      answers.rows_ += rows;
    }
  }
  return answers;
}

absl::Status AnswersFile::Append(std::string_view lines, std::int64_t rows) {
  const std::string name = PartName(rows_, rows);
  RETURN_IF_ERROR(WritePrivateFile(fmt::format("{}/{}", folder_, name), lines));
  parts_.push_back(name);
  rows_ += rows;
  return absl::OkStatus();
}

absl::StatusOr<std::string> AnswersFile::Join(const std::string& file_name,
                                              std::string_view header) const {
  std::string path = fmt::format("{}/{}", folder_, file_name);
  std::ofstream whole(path, std::ios::binary | std::ios::trunc);
  whole << header;
  for (const std::string& part : parts_) {
    whole << std::ifstream(fmt::format("{}/{}", folder_, part), std::ios::binary).rdbuf();
  }
  whole.flush();
  return whole ? absl::StatusOr<std::string>(std::move(path))
               : WithFix(absl::UnknownError(fmt::format("cannot write '{}'", path)),
                         "see that its disk has room; the same command goes on where it was");
}

absl::Status AnswersFile::Remove() {
  std::error_code error;
  std::filesystem::remove_all(folder_, error);
  return error ? absl::UnknownError(fmt::format("cannot remove '{}': {}", folder_, error.message()))
               : absl::OkStatus();
}

std::string CsvCell(std::string_view text) {
  const bool blank_at_ends = !text.empty() && (text.front() == ' ' || text.back() == ' ' ||
                                               text.front() == '\t' || text.back() == '\t');
  if (!blank_at_ends && text.find_first_of("\",\r\n") == std::string_view::npos) {
    return std::string(text);
  }
  std::string cell = "\"";
  for (const char c : text) {
    cell.append(c == '"' ? 2 : 1, c);
  }
  return cell + "\"";
}

}  // namespace millrace::cli
