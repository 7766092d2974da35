#include "services/data/import/header.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "common/status/status.h"

namespace millrace::data {

namespace {

constexpr std::size_t kNameBytesMax = 256;

enum class Look { kMissing, kNumber, kTime, kText };

Look LookOf(std::string_view raw, const features::MissingSpellings& missing) {
  const std::string_view trimmed = features::Trim(raw);
  double ignored = 0;
  if (missing.Contains(trimmed)) {
    return Look::kMissing;
  }
  if (features::ParseNumber(trimmed, ignored)) {
    return Look::kNumber;
  }
  return features::ParseTimestamp(trimmed, ignored) ? Look::kTime : Look::kText;
}

// What all cells below the first record look like; missing when there is none.
Look LookBelow(const SampleRecords& records,
               std::size_t column,
               const features::MissingSpellings& missing) {
  Look common = Look::kMissing;
  for (std::size_t row = 1; row < records.size(); ++row) {
    const Look look =
        column < records[row].size() ? LookOf(records[row][column], missing) : Look::kMissing;
    if (look == Look::kMissing) {
      continue;
    }
    if (common != Look::kMissing && look != common) {
      return Look::kText;
    }
    common = look;
  }
  return common;
}

bool IsRepeatedBelow(const SampleRecords& records, std::size_t column) {
  return std::any_of(records.begin() + 1, records.end(), [&](const auto& record) {
    return column < record.size() && record[column] == records.front()[column];
  });
}

std::string NumberedName(std::size_t index) {
  return fmt::format("column_{}", index + 1);
}

}  // namespace

bool DetectHeader(const SampleRecords& records, const features::MissingSpellings& missing) {
  if (records.empty()) {
    return true;
  }
  bool looks_like_data = false;
  for (std::size_t column = 0; column < records.front().size(); ++column) {
    const Look first = LookOf(records.front()[column], missing);
    const Look below = LookBelow(records, column, missing);
    if (first == Look::kText && (below == Look::kNumber || below == Look::kTime)) {
      return true;
    }
    looks_like_data = looks_like_data || first == Look::kNumber || first == Look::kTime ||
                      (first == Look::kText && IsRepeatedBelow(records, column));
  }
  return !looks_like_data;
}

absl::StatusOr<std::vector<std::string>> ReadNames(const csv::Record& record,
                                                   std::string_view file_name) {
  std::vector<std::string> names;
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < record.cells().size(); ++i) {
    const std::string_view text = features::Trim(record.cells()[i]);
    std::string name = text.empty() ? NumberedName(i) : std::string(text);
    const std::string where = csv::Where(file_name, record.PositionOf(i));
    if (name.size() > kNameBytesMax) {
      return WithFix(InvalidArgument("{}: a column's name has at most {} bytes, found {}",
                                     where,
                                     kNameBytesMax,
                                     name.size()),
                     "shorten it; if the first line is no header, import with header absent");
    }
    if (!seen.insert(name).second) {
      return WithFix(InvalidArgument("{}: columns must have different names, found a second '{}'",
                                     where,
                                     features::Excerpt(name)),
                     "rename one; if the first line is no header, import with header absent");
    }
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<std::string> NumberedNames(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    names.push_back(NumberedName(i));
  }
  return names;
}

}  // namespace millrace::data
