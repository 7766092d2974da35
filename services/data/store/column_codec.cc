#include "services/data/store/column_codec.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "common/status/status.h"
#include "services/data/store/byte_reader.h"
#include "services/data/store/decimals.h"

namespace millrace::data {

namespace {

constexpr std::string_view kMagic = "MRCOLUMN";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kNumbers = 0;
constexpr std::uint32_t kTexts = 1;
constexpr std::uint32_t kDecimals = 2;

bool DecodeTexts(ByteReader& reader, std::size_t rows, features::ColumnCells& column) {
  std::uint32_t count = 0;
  if (!reader.Take(rows, column.codes) || !reader.Take(count)) {
    return false;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t size = 0;
    std::string_view text;
    if (!reader.Take(size) || !reader.Take(size, text)) {
      return false;
    }
    column.dictionary.push_back(text);
  }
  for (std::size_t row = 0; row < rows; ++row) {
    const std::int32_t code = column.codes[row];
    const bool known = code >= 0 && static_cast<std::uint32_t>(code) < count;
    if (column.valid[row] != 0 ? !known : code != 0) {
      return false;
    }
  }
  return true;
}

bool DecodeNumbers(ByteReader& reader, std::size_t rows, features::ColumnCells& column) {
  return reader.Take(rows, column.numbers) &&
         std::all_of(column.numbers.begin(), column.numbers.end(), [](double number) {
           return std::isfinite(number);
         });
}

bool DecodeCells(std::uint32_t kind,
                 ByteReader& reader,
                 std::size_t rows,
                 features::ColumnCells& column) {
  switch (kind) {
    case kNumbers:
      return DecodeNumbers(reader, rows, column);
    case kTexts:
      return DecodeTexts(reader, rows, column);
    case kDecimals:
      return TakeDecimals(rows, reader, column.numbers);
    default:
      return false;
  }
}

bool Decode(std::string_view bytes, features::ColumnCells& column) {
  ByteReader reader(bytes);
  std::uint32_t version = 0;
  std::uint32_t kind = 0;
  std::uint64_t rows = 0;
  if (!reader.Take(kMagic) || !reader.Take(version) || version != kVersion || !reader.Take(kind) ||
      !reader.Take(rows) || !reader.Take(rows, column.valid)) {
    return false;
  }
  if (std::any_of(column.valid.begin(), column.valid.end(), [](auto valid) { return valid > 1; })) {
    return false;
  }
  return DecodeCells(kind, reader, rows, column) && reader.empty();
}

// What stands in the rows, 0 where there is no value.
template <typename Number>
std::vector<Number> ValuesOf(const std::vector<Number>& numbers,
                             const std::vector<std::uint8_t>& valid) {
  std::vector<Number> values(valid.size());
  for (std::size_t row = 0; row < valid.size(); ++row) {
    values[row] = valid[row] != 0 ? numbers[row] : Number{0};
  }
  return values;
}

template <typename Number>
void AppendAll(const std::vector<Number>& values, std::string& bytes) {
  const std::size_t at = bytes.size();
  bytes.resize(at + values.size() * sizeof(Number));
  if (!values.empty()) {
    std::memcpy(bytes.data() + at, values.data(), values.size() * sizeof(Number));
  }
}

void AppendHead(std::uint32_t kind, const std::vector<std::uint8_t>& valid, std::string& bytes) {
  bytes += kMagic;
  AppendTo(bytes, kVersion);
  AppendTo(bytes, kind);
  AppendTo(bytes, static_cast<std::uint64_t>(valid.size()));
  for (const std::uint8_t one : valid) {
    bytes.push_back(one != 0 ? 1 : 0);
  }
}

std::string EncodeNumbers(const features::ColumnCells& column) {
  const std::vector<double> values = ValuesOf(column.numbers, column.valid);
  std::string bytes;
  AppendHead(kDecimals, column.valid, bytes);
  if (AppendDecimals(values, bytes)) {
    return bytes;
  }
  bytes.clear();
  AppendHead(kNumbers, column.valid, bytes);
  AppendAll(values, bytes);
  return bytes;
}

std::string EncodeTexts(const features::ColumnCells& column) {
  std::string bytes;
  AppendHead(kTexts, column.valid, bytes);
  AppendAll(ValuesOf(column.codes, column.valid), bytes);
  AppendTo(bytes, static_cast<std::uint32_t>(column.dictionary.size()));
  for (const std::string_view text : column.dictionary) {
    AppendTo(bytes, static_cast<std::uint32_t>(text.size()));
    bytes += text;
  }
  return bytes;
}

}  // namespace

std::string EncodeColumn(const features::ColumnCells& column, bool numeric) {
  return numeric ? EncodeNumbers(column) : EncodeTexts(column);
}

absl::StatusOr<features::ColumnCells> DecodeColumn(std::string_view bytes) {
  features::ColumnCells column;
  if (!Decode(bytes, column)) {
    return DataLoss("a stored column of {} bytes is not one", bytes.size());
  }
  return column;
}

}  // namespace millrace::data
