#include "services/training/runs/run_folder.h"

#include <charconv>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include "common/status/status.h"
#include "common/storage/file_system.h"

namespace millrace::training {

namespace {

// The number that `name` is, or -1.
std::int64_t NumberIn(std::string_view name) {
  std::int64_t number = -1;
  const char* const end = name.data() + name.size();
  const auto [read_to, error] = std::from_chars(name.data(), end, number);
  return error == std::errc() && read_to == end ? number : -1;
}

}  // namespace

std::string RunFolder(const std::string& folder, std::int64_t number) {
  return fmt::format("{}/{}", folder, number);
}

void RemoveRunFolder(const std::string& folder, std::int64_t number) {
  storage::FileSystem& files = storage::PosixFileSystem();
  const std::string path = RunFolder(folder, number);
  const auto names = files.List(path);
  if (names.ok()) {
    for (const std::string& name : *names) {
      files.Remove(fmt::format("{}/{}", path, name)).IgnoreError();
    }
    files.RemoveFolder(path).IgnoreError();
  }
}

void RemoveOthers(const std::string& folder, const std::set<std::int64_t>& numbers) {
  std::vector<std::int64_t> others;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::int64_t number = NumberIn(entry->path().filename().string());
    if (number >= 0 && !numbers.contains(number)) {
      others.push_back(number);
    }
  }
  for (const std::int64_t number : others) {
    RemoveRunFolder(folder, number);
  }
}

}  // namespace millrace::training
