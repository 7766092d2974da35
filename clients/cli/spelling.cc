#include "clients/cli/spelling.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/time_util.h>

#include "clients/cli/failure.h"
#include "common/config/config.h"

namespace millrace::cli {

namespace {

// COLUMN_TYPE_ for an enum whose first value is COLUMN_TYPE_UNSPECIFIED.
std::string Prefix(const google::protobuf::EnumDescriptor& type) {
  const std::string& first = type.value(0)->name();
  return first.substr(0, first.rfind("UNSPECIFIED"));
}

std::string Lower(std::string text) {
  for (char& c : text) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return text;
}

}  // namespace

std::string EnumWord(const google::protobuf::EnumDescriptor& type, int value) {
  const google::protobuf::EnumValueDescriptor* const known = type.FindValueByNumber(value);
  return known == nullptr ? fmt::format("{}", value)
                          : Lower(known->name().substr(Prefix(type).size()));
}

absl::StatusOr<int> ParseEnumWord(const google::protobuf::EnumDescriptor& type,
                                  std::string_view flag,
                                  std::string_view word) {
  std::vector<std::string> words;
  for (int i = 1; i < type.value_count(); ++i) {
    words.push_back(EnumWord(type, type.value(i)->number()));
    if (words.back() == word) {
      return type.value(i)->number();
    }
  }
  const std::string closest = config::Closest(word, words);
  return UsageError(
      fmt::format("{} must be one of {}, found '{}'", flag, fmt::join(words, ", "), word),
      closest.empty() ? fmt::format("give one of {}", fmt::join(words, ", "))
                      : fmt::format("did you mean '{}'?", closest));
}

std::string Spell(double value) {
  const double size = std::abs(value);
  return size >= 1e4 && size < 1e12 ? fmt::format("{:.0f}", value) : fmt::format("{:.4g}", value);
}

std::string SpellCell(double value, schema::v1::ColumnType type) {
  constexpr double kTimeMax = 253'402'300'799;  // the last second of the year 9999
  if (type != schema::v1::COLUMN_TYPE_TIMESTAMP || !(std::abs(value) <= kTimeMax)) {
    return Spell(value);
  }
  google::protobuf::Timestamp time;
  time.set_seconds(static_cast<std::int64_t>(std::floor(value)));
  const std::string text = time.seconds() == 0 ? "1970-01-01 00:00:00" : Spell(time);
  constexpr std::string_view kMidnight = " 00:00:00";
  return text.ends_with(kMidnight) ? text.substr(0, text.size() - kMidnight.size()) : text;
}

std::string Spell(const google::protobuf::Timestamp& time, bool exact) {
  if (time.seconds() == 0) {
    return {};
  }
  google::protobuf::Timestamp whole = time;
  // A peer's nanoseconds are below a second, or none of TimeUtil's business.
  const bool fraction = exact && time.nanos() > 0 && time.nanos() < 1'000'000'000;
  whole.set_nanos(fraction ? time.nanos() : 0);
  using google::protobuf::util::TimeUtil;
  if (time.seconds() < TimeUtil::kTimestampMinSeconds ||
      time.seconds() > TimeUtil::kTimestampMaxSeconds) {
    return fmt::format("{} s", time.seconds());
  }
  std::string text = TimeUtil::ToString(whole);  // 2024-05-01T12:30:05Z
  if (!exact) {
    text[text.find('T')] = ' ';
    text.pop_back();
  }
  return text;
}

std::string SpellBytes(std::int64_t bytes, bool exact) {
  if (exact) {
    return fmt::format("{}", bytes);
  }
  constexpr std::array<std::string_view, 5> kUnits{"B", "kB", "MB", "GB", "TB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (size >= 999.5 && unit + 1 < kUnits.size()) {
    size /= 1000;
    ++unit;
  }
  return fmt::format("{:.3g} {}", size, kUnits[unit]);
}

std::string ShortDigest(std::string_view sha256, bool exact) {
  return std::string(exact ? sha256 : sha256.substr(0, 12));
}

}  // namespace millrace::cli
