#include "common/features/cell.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>
#include <utility>

#include <absl/strings/charconv.h>
#include <fmt/format.h>

#include "common/features/table.h"
#include "common/status/status.h"

namespace millrace::features {

namespace {

using schema::v1::ColumnType;
using schema::v1::Value;

constexpr std::size_t kExcerptBytes = 64;
constexpr double kExactIntegerMax = 9007199254740992.0;  // 2^53
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kFurthest = kDay - 60;  // of a zone: 23:59
constexpr double kLeast = -62'167'219'200.0;   // 0000-01-01T00:00Z
constexpr double kMost = 253'402'300'800.0;    // 10000-01-01T00:00Z

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

char Upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsBlank(char c) {
  return c == ' ' || c == '\t';
}

// std::from_chars knows no leading plus; drops one unless another sign follows.
std::string_view WithoutPlus(std::string_view text) {
  const bool plus = text.size() > 1 && text.front() == '+' && text[1] != '-' && text[1] != '+';
  return plus ? text.substr(1) : text;
}

// Reads digits with an optional sign and fraction whose value is a whole number below 2^53 divided
// by a power of ten up to 10^22: both are exact in a double, so that their quotient is the nearest
// one (Clinger, "How to read floating point numbers accurately", 1990). False for anything else.
bool ParsePlainNumber(std::string_view text, double& number) {
  constexpr std::array<double, 23> kPowers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  constexpr std::size_t kLongest = 19;  // what is no longer fits 64 bits
  if (text.size() > kLongest) {
    return false;
  }
  const char* at = text.data();
  const char* const end = at + text.size();
  const bool negative = at != end && *at == '-';
  at += negative ? 1 : 0;
  const char* const digits = at;
  std::uint64_t whole = 0;
  for (; at != end && IsDigit(*at); ++at) {
    whole = whole * 10 + static_cast<std::uint64_t>(*at - '0');
  }
  std::size_t places = 0;
  auto count = at - digits;
  if (at != end && *at == '.') {
    const char* const fraction = ++at;
    for (; at != end && IsDigit(*at); ++at) {
      whole = whole * 10 + static_cast<std::uint64_t>(*at - '0');
    }
    places = static_cast<std::size_t>(at - fraction);
    count += at - fraction;
  }
  if (at != end || count == 0 || whole >= (std::uint64_t{1} << 53U)) {
    return false;
  }
  const double value = static_cast<double>(whole) / kPowers[places];
  number = negative ? -value : value;
  return true;
}

// What std::from_chars makes of the whole text, infinity where a number is too large.
bool ParseAnyNumber(std::string_view text, double& number) {
  const char* const end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, number);
  if (result.ptr != end || text.empty()) {
    return false;
  }
  if (result.ec == std::errc::result_out_of_range) {
    // The standard leaves `number` alone here; Abseil tells too large from too small.
    absl::from_chars(text.data(), end, number);
    number = std::abs(number) > 1 ? std::copysign(std::numeric_limits<double>::infinity(), number)
                                  : std::copysign(0.0, number);
    return true;
  }
  return result.ec == std::errc();
}

// Reads exactly `digits` decimal digits from the front of `text`.
bool TakeDigits(std::string_view& text, std::size_t digits, int& value) {
  const std::string_view taken = text.substr(0, digits);
  if (taken.size() < digits || !std::all_of(taken.begin(), taken.end(), IsDigit)) {
    return false;
  }
  value = 0;
  for (const char c : taken) {
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool Take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

// Days from 1970-01-01 in the proleptic Gregorian calendar: counts years from March, so that the
// leap day is the last of its year. Requires: a valid date.
std::int64_t DaysFromCivil(int year, int month, int day) {
  const int march_year = month > 2 ? year : year - 1;
  const int march_month = month > 2 ? month - 3 : month + 9;
  // Years before 0 are shifted by 400, whose days are a whole number of weeks and leap cycles.
  const std::int64_t shifted = march_year + 400;
  const std::int64_t leap_days = shifted / 4 - shifted / 100 + shifted / 400;
  const std::int64_t day_of_year = (153 * march_month + 2) / 5 + day - 1;
  constexpr std::int64_t kEpoch = 719468 + 146097;  // 1970-01-01 on the same count
  return shifted * 365 + leap_days + day_of_year - kEpoch;
}

struct CivilDate {
  std::int64_t year = 0;
  std::int64_t month = 0;
  std::int64_t day = 0;
};

// What DaysFromCivil() counts, back again.
CivilDate CivilFromDays(std::int64_t days) {
  constexpr std::int64_t kCycle = 146'097;  // days of 400 years
  const std::int64_t shifted = days + 719'468 + kCycle;
  const std::int64_t day_of_cycle = shifted % kCycle;
  const std::int64_t year_of_cycle =
      (day_of_cycle - day_of_cycle / 1'460 + day_of_cycle / 36'524 - day_of_cycle / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
  const std::int64_t march_month = (5 * day_of_year + 2) / 153;
  const std::int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
  return {.year = shifted / kCycle * 400 + year_of_cycle - 400 + (month <= 2 ? 1 : 0),
          .month = month,
          .day = day_of_year - (153 * march_month + 2) / 5 + 1};
}

bool IsValidDate(int year, int month, int day) {
  if (month < 1 || month > 12 || day < 1) {
    return false;
  }
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  const int days = month == 2 && leap ? 29 : kDays[static_cast<std::size_t>(month - 1)];
  return day <= days;
}

bool TakeDate(std::string_view& text, std::int64_t& days) {
  int year = 0;
  int month = 0;
  int day = 0;
  const bool taken = TakeDigits(text, 4, year) && Take(text, '-') && TakeDigits(text, 2, month) &&
                     Take(text, '-') && TakeDigits(text, 2, day);
  if (!taken || !IsValidDate(year, month, day)) {
    return false;
  }
  days = DaysFromCivil(year, month, day);
  return true;
}

// `.` or `,` and at least one digit, as a part of a second.
bool TakeFraction(std::string_view& text, double& fraction) {
  fraction = 0;
  if (!Take(text, '.') && !Take(text, ',')) {
    return true;
  }
  const auto* const end = std::find_if_not(text.begin(), text.end(), IsDigit);
  const auto digits = static_cast<std::size_t>(end - text.begin());
  if (digits == 0) {
    return false;
  }
  const std::string decimal = "0." + std::string(text.substr(0, digits));
  text.remove_prefix(digits);
  return ParseNumber(decimal, fraction);
}

bool TakeTime(std::string_view& text, double& seconds) {
  int hour = 0;
  int minute = 0;
  int second = 0;
  double fraction = 0;
  if (!TakeDigits(text, 2, hour) || !Take(text, ':') || !TakeDigits(text, 2, minute)) {
    return false;
  }
  if (Take(text, ':') && (!TakeDigits(text, 2, second) || !TakeFraction(text, fraction))) {
    return false;
  }
  seconds = hour * 3600 + minute * 60 + second + fraction;
  return hour < 24 && minute < 60 && second < 60;
}

bool TakeZone(std::string_view& text, int& offset_seconds) {
  offset_seconds = 0;
  if (text.empty() || Take(text, 'Z') || Take(text, 'z')) {
    return true;
  }
  const int sign = text.front() == '-' ? -1 : 1;
  if (!Take(text, '+') && !Take(text, '-')) {
    return false;
  }
  int hours = 0;
  int minutes = 0;
  if (!TakeDigits(text, 2, hours)) {
    return false;
  }
  const bool colon = Take(text, ':');
  if ((colon || !text.empty()) && !TakeDigits(text, 2, minutes)) {
    return false;
  }
  offset_seconds = sign * (hours * 3600 + minutes * 60);
  return hours < 24 && minutes < 60;
}

std::string_view TypeInWords(ColumnType type) {
  switch (type) {
    case schema::v1::COLUMN_TYPE_BOOLEAN:
      return "a boolean";
    case schema::v1::COLUMN_TYPE_INTEGER:
      return "an integer in [-2^53, 2^53]";
    case schema::v1::COLUMN_TYPE_REAL:
      return "a finite number";
    case schema::v1::COLUMN_TYPE_CATEGORY:
      return "a category";
    case schema::v1::COLUMN_TYPE_TIMESTAMP:
      return "an ISO 8601 time";
    case schema::v1::COLUMN_TYPE_TEXT:
      return "a text";
    case schema::v1::COLUMN_TYPE_IDENTIFIER:
      return "an identifier";
    default:
      return "of no known type";
  }
}

Cell NumberCell(double number) {
  return {.kind = Cell::Kind::kNumber, .number = number, .text = {}};
}

Cell TextCell(std::string_view text) {
  return {.kind = Cell::Kind::kText, .number = 0, .text = text};
}

}  // namespace

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && IsBlank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

MissingSpellings::MissingSpellings(const std::vector<std::string>& spellings) {
  for (const std::string& spelling : spellings) {
    std::string lower(Trim(spelling));
    if (lower.empty()) {
      continue;  // always means missing
    }
    std::transform(lower.begin(), lower.end(), lower.begin(), Lower);
    starts_.at(static_cast<unsigned char>(lower.front())) = true;
    starts_.at(static_cast<unsigned char>(Upper(lower.front()))) = true;
    spellings_.push_back(std::move(lower));
  }
}

bool MissingSpellings::Contains(std::string_view trimmed) const {
  if (trimmed.empty()) {
    return true;
  }
  // Most cells start as no spelling does; the rest are compared one by one, since there are few.
  if (!starts_[static_cast<unsigned char>(trimmed.front())]) {
    return false;
  }
  return std::any_of(spellings_.begin(), spellings_.end(), [trimmed](const std::string& spelling) {
    return EqualsIgnoringCase(trimmed, spelling);
  });
}

std::vector<std::string> DefaultMissingSpellings() {
  return {"NA", "N/A", "NaN", "null", "none", "missing", "?", "-"};
}

std::string Excerpt(std::string_view text) {
  if (text.size() <= kExcerptBytes) {
    return std::string(text);
  }
  std::size_t end = kExcerptBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
    --end;  // a byte inside a character
  }
  return std::string(text.substr(0, end)) + "…";
}

bool EqualsIgnoringCase(std::string_view left, std::string_view right) {
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(), [](char a, char b) {
           return Lower(a) == Lower(b);
         });
}

bool ParseNumber(std::string_view trimmed, double& number) {
  if (ParsePlainNumber(trimmed, number)) {
    return true;
  }
  const std::string_view text = WithoutPlus(trimmed);
  // std::from_chars also reads words for infinity and NaN; they end in a letter.
  if (text.empty() || (!IsDigit(text.back()) && text.back() != '.')) {
    return false;
  }
  double parsed = 0;
  if (!ParseAnyNumber(text, parsed) || !std::isfinite(parsed)) {
    return false;
  }
  number = parsed;
  return true;
}

bool SpellsNonFinite(std::string_view trimmed) {
  double number = 0;
  return ParseAnyNumber(WithoutPlus(trimmed), number) && !std::isfinite(number);
}

bool IsExactInteger(double number) {
  return std::abs(number) <= kExactIntegerMax &&
         static_cast<double>(static_cast<std::int64_t>(number)) == number;
}

std::string_view ShortestText(double number, std::string& scratch) {
  constexpr std::size_t kLongest = 32;  // -2.2250738585072014e-308 has 24 characters
  scratch.resize(kLongest);
  const std::to_chars_result result =
      std::to_chars(scratch.data(), scratch.data() + scratch.size(), number);
  scratch.resize(static_cast<std::size_t>(result.ptr - scratch.data()));
  return scratch;
}

bool ParseTimestamp(std::string_view trimmed, double& seconds) {
  std::string_view text = trimmed;
  std::int64_t days = 0;
  if (!TakeDate(text, days)) {
    return false;
  }
  double time = 0;
  int offset = 0;
  if (!text.empty()) {
    const bool separated = Take(text, 'T') || Take(text, 't') || Take(text, ' ');
    if (!separated || !TakeTime(text, time) || !TakeZone(text, offset) || !text.empty()) {
      return false;
    }
  }
  // A part of the very last second may be rounded up, out of the years that can be written.
  static const double last = std::nextafter(kMost + static_cast<double>(kFurthest), 0.0);
  seconds = std::min(static_cast<double>(days * kDay - offset) + time, last);
  return true;
}

std::string_view TimestampText(double seconds, std::string& scratch) {
  // A zone may have moved a time out of the years that can be written without one.
  const std::int64_t zone = seconds < kLeast ? kFurthest : seconds >= kMost ? -kFurthest : 0;
  const double whole = std::floor(seconds);
  const std::int64_t local = static_cast<std::int64_t>(whole) + zone;
  const std::int64_t days = local / kDay - (local % kDay < 0 ? 1 : 0);
  const std::int64_t time = local - days * kDay;
  const CivilDate date = CivilFromDays(days);
  scratch = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
                        date.year,
                        date.month,
                        date.day,
                        time / 3600,
                        time / 60 % 60,
                        time % 60);
  if (seconds != whole) {
    // The difference is exact, and so is the sum when it is read: both are on the same grid.
    scratch += fmt::format("{:.60f}", seconds - whole).substr(1);
    scratch.erase(scratch.find_last_not_of('0') + 1);
  }
  scratch += zone == 0 ? "Z" : zone > 0 ? "+23:59" : "-23:59";
  return scratch;
}

CellParser::CellParser(schema::v1::Column column, MissingSpellings missing)
    : column_(std::move(column)),
      missing_(std::move(missing)) {}

absl::StatusOr<Cell> CellParser::Parse(std::string_view raw) const {
  const std::string_view trimmed = Trim(raw);
  if (missing_.Contains(trimmed)) {
    return Cell{};
  }
  return ParseText(trimmed);
}

absl::StatusOr<Cell> CellParser::Parse(const Value& value, std::string& scratch) const {
  switch (value.kind_case()) {
    case Value::kNumber:
      return FromNumber(value.number(), scratch);
    case Value::kText:
      return Parse(value.text());
    case Value::kBoolean:
      return FromBoolean(value.boolean());
    default:
      return Cell{};
  }
}

absl::StatusOr<Cell> CellParser::ParseText(std::string_view trimmed) const {
  double number = 0;
  switch (column_.type()) {
    case schema::v1::COLUMN_TYPE_BOOLEAN:
      if (EqualsIgnoringCase(trimmed, column_.true_spelling())) {
        return NumberCell(1);
      }
      if (EqualsIgnoringCase(trimmed, column_.false_spelling())) {
        return NumberCell(0);
      }
      return Mismatch(trimmed);
    case schema::v1::COLUMN_TYPE_INTEGER:
      if (!ParseNumber(trimmed, number) || !IsExactInteger(number)) {
        return Mismatch(trimmed);
      }
      return NumberCell(number);
    case schema::v1::COLUMN_TYPE_REAL:
      if (!ParseNumber(trimmed, number)) {
        return Mismatch(trimmed);
      }
      return NumberCell(number);
    case schema::v1::COLUMN_TYPE_TIMESTAMP:
      if (!ParseTimestamp(trimmed, number)) {
        return Mismatch(trimmed);
      }
      return NumberCell(number);
    default:
      return TextCell(trimmed);
  }
}

absl::StatusOr<Cell> CellParser::FromNumber(double number, std::string& scratch) const {
  bool fits = std::isfinite(number);
  switch (column_.type()) {
    case schema::v1::COLUMN_TYPE_BOOLEAN:
      fits = fits && (number == 0 || number == 1);
      break;
    case schema::v1::COLUMN_TYPE_INTEGER:
      fits = fits && IsExactInteger(number);
      break;
    case schema::v1::COLUMN_TYPE_REAL:
    case schema::v1::COLUMN_TYPE_TIMESTAMP:
      break;
    default:
      if (fits) {
        return TextCell(ShortestText(number, scratch));
      }
  }
  if (!fits) {
    return Mismatch(ShortestText(number, scratch));
  }
  return NumberCell(number);
}

absl::StatusOr<Cell> CellParser::FromBoolean(bool yes) const {
  switch (column_.type()) {
    case schema::v1::COLUMN_TYPE_BOOLEAN:
    case schema::v1::COLUMN_TYPE_INTEGER:
    case schema::v1::COLUMN_TYPE_REAL:
      return NumberCell(yes ? 1 : 0);
    default:
      return Mismatch(yes ? "the boolean true" : "the boolean false");
  }
}

absl::Status CellParser::Mismatch(std::string_view found) const {
  if (column_.type() == schema::v1::COLUMN_TYPE_BOOLEAN) {
    return InvalidArgument("column '{}' is '{}' or '{}', found '{}'",
                           Excerpt(column_.name()),
                           Excerpt(column_.true_spelling()),
                           Excerpt(column_.false_spelling()),
                           Excerpt(found));
  }
  return InvalidArgument("column '{}' is {}, found '{}'",
                         Excerpt(column_.name()),
                         TypeInWords(column_.type()),
                         Excerpt(found));
}

}  // namespace millrace::features
