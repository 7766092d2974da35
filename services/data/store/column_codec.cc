#include "services/data/store/column_codec.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "common/status/status.h"
#include "services/data/store/byte_reader.h"

namespace millrace::data {

namespace {

constexpr std::string_view kMagic = "MRCOLUMN";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kNumbers = 0;
constexpr std::uint32_t kTexts = 1;

bool DecodeTexts(ByteReader& reader, std::size_t rows, features::ColumnCells& column) {
  std::uint32_t count = 0;
  if (!reader.Take(rows, column.codes) || !reader.Take(count)) {
    return false;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t size = 0;
    if (!reader.Take(size) || !reader.Take(size, column.dictionary.emplace_back())) {
      return false;
    }
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
  const bool decoded = kind == kNumbers ? DecodeNumbers(reader, rows, column)
                                        : kind == kTexts && DecodeTexts(reader, rows, column);
  return decoded && reader.empty();
}

}  // namespace

std::string EncodeColumn(const features::ColumnCells& column, bool numeric) {
  std::string bytes(kMagic);
  AppendTo(bytes, kVersion);
  AppendTo(bytes, numeric ? kNumbers : kTexts);
  AppendTo(bytes, static_cast<std::uint64_t>(column.valid.size()));
  for (const std::uint8_t valid : column.valid) {
    bytes.push_back(valid != 0 ? 1 : 0);
  }
  for (std::size_t row = 0; row < column.valid.size(); ++row) {
    const bool valid = column.valid[row] != 0;
    if (numeric) {
      AppendTo(bytes, valid ? column.numbers[row] : 0.0);
    } else {
      AppendTo(bytes, valid ? column.codes[row] : std::int32_t{0});
    }
  }
  if (!numeric) {
    AppendTo(bytes, static_cast<std::uint32_t>(column.dictionary.size()));
    for (const std::string& text : column.dictionary) {
      AppendTo(bytes, static_cast<std::uint32_t>(text.size()));
      bytes += text;
    }
  }
  return bytes;
}

absl::StatusOr<features::ColumnCells> DecodeColumn(std::string_view bytes) {
  features::ColumnCells column;
  if (!Decode(bytes, column)) {
    return DataLoss("a stored column of {} bytes is not one", bytes.size());
  }
  return column;
}

}  // namespace millrace::data
