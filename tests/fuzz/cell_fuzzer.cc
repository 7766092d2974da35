// Cells: what is read is what the C library reads, and reads back from the text that we write.

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/features/cell.h"
#include "common/status/check.h"

namespace millrace::features {
namespace {

bool IsSameBits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

bool IsSame(const Cell& a, const Cell& b) {
  return a.kind == b.kind && IsSameBits(a.number, b.number) && a.text == b.text;
}

// strtod() takes more than we do, but what both take is the same number.
void HoldNumber(std::string_view trimmed) {
  double number = 0;
  if (!ParseNumber(trimmed, number)) {
    return;
  }
  CHECK(std::isfinite(number));
  CHECK(!SpellsNonFinite(trimmed));
  const std::string text(trimmed);
  char* end = nullptr;
  CHECK(IsSameBits(number, std::strtod(text.c_str(), &end)));
  CHECK(end == text.c_str() + text.size());
  std::string scratch;
  double again = 0;
  CHECK(ParseNumber(ShortestText(number, scratch), again));
  CHECK(IsSameBits(number, again));
}

void HoldTimestamp(std::string_view trimmed) {
  double seconds = 0;
  if (!ParseTimestamp(trimmed, seconds)) {
    return;
  }
  std::string scratch;
  double again = 0;
  CHECK(ParseTimestamp(TimestampText(seconds, scratch), again));
  CHECK(seconds == again);
}

schema::v1::Column ColumnOf(std::uint8_t choice) {
  schema::v1::Column column;
  column.set_name("c");
  column.set_type(static_cast<schema::v1::ColumnType>(choice % schema::v1::ColumnType_ARRAYSIZE));
  column.set_true_spelling("Yes");
  column.set_false_spelling("no");
  return column;
}

void HoldCell(std::uint8_t choice, std::string_view raw) {
  const MissingSpellings missing((choice & 0x80U) != 0 ? DefaultMissingSpellings()
                                                       : std::vector<std::string>{});
  const CellParser parser(ColumnOf(choice & 0x7FU), missing);
  const auto cell = parser.Parse(raw);
  schema::v1::Value value;
  value.set_text(std::string(raw));
  std::string scratch;
  const auto from_value = parser.Parse(value, scratch);
  CHECK(cell.ok() == from_value.ok());
  if (!cell.ok()) {
    CHECK(absl::IsInvalidArgument(cell.status()) && cell.status() == from_value.status());
    return;
  }
  CHECK(IsSame(*cell, *from_value));
  CHECK((cell->kind == Cell::Kind::kMissing) == missing.Contains(Trim(raw)));
  if (cell->kind == Cell::Kind::kText) {
    CHECK(cell->text == Trim(raw));
  }
  if (cell->kind == Cell::Kind::kNumber) {
    value.set_number(cell->number);
    const auto from_number = parser.Parse(value, scratch);
    CHECK(from_number.ok() && IsSame(*cell, *from_number));
  }
}

}  // namespace
}  // namespace millrace::features

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::features;  // NOLINT(google-build-using-namespace): the entry is C
  if (size == 0) {
    return 0;
  }
  const std::string_view raw(reinterpret_cast<const char*>(data) + 1, size - 1);
  HoldNumber(Trim(raw));
  HoldTimestamp(Trim(raw));
  HoldCell(data[0], raw);
  CHECK(Excerpt(raw).size() <= 67);
  return 0;
}
