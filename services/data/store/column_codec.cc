#include "services/data/store/column_codec.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

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

// Appends what stands in the rows, 0 where there is no value.
template <typename Number>
void AppendValues(const std::vector<Number>& values,
                  const std::vector<std::uint8_t>& valid,
                  std::string& bytes) {
  const std::size_t at = bytes.size();
  bytes.resize(at + valid.size() * sizeof(Number));
  char* out = bytes.data() + at;
  for (std::size_t row = 0; row < valid.size(); ++row) {
    const Number value = valid[row] != 0 ? values[row] : Number{0};
    std::memcpy(out, &value, sizeof(Number));
    out += sizeof(Number);
  }
}

}  // namespace

std::string EncodeColumn(const features::ColumnCells& column, bool numeric) {
  const std::size_t rows = column.valid.size();
  std::string bytes(kMagic);
  bytes.reserve(kMagic.size() + 4 * sizeof(std::uint64_t) + rows * (1 + sizeof(double)));
  AppendTo(bytes, kVersion);
  AppendTo(bytes, numeric ? kNumbers : kTexts);
  AppendTo(bytes, static_cast<std::uint64_t>(rows));
  for (const std::uint8_t valid : column.valid) {
    bytes.push_back(valid != 0 ? 1 : 0);
  }
  if (numeric) {
    AppendValues<double>(column.numbers, column.valid, bytes);
    return bytes;
  }
  AppendValues<std::int32_t>(column.codes, column.valid, bytes);
  AppendTo(bytes, static_cast<std::uint32_t>(column.dictionary.size()));
  for (const std::string_view text : column.dictionary) {
    AppendTo(bytes, static_cast<std::uint32_t>(text.size()));
    bytes += text;
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
