// ByteReader: takes little-endian values off a byte string, as far as it reaches.

#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace millrace::data {

static_assert(std::endian::native == std::endian::little, "blobs are little-endian");

/// Reads from the front of bytes that it does not own. Every Take says whether there was enough;
/// after a failure the rest is undefined.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool empty() const { return bytes_.empty(); }

  bool Take(std::string_view expected) {
    const bool found = bytes_.substr(0, expected.size()) == expected;
    bytes_.remove_prefix(found ? expected.size() : 0);
    return found;
  }

  template <typename Number>
  bool Take(Number& number) {
    static_assert(std::is_arithmetic_v<Number>);
    if (bytes_.size() < sizeof(Number)) {
      return false;
    }
    std::memcpy(&number, bytes_.data(), sizeof(Number));
    bytes_.remove_prefix(sizeof(Number));
    return true;
  }

  bool Take(std::size_t size, std::string_view& text) {
    if (bytes_.size() < size) {
      return false;
    }
    text = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }

  template <typename Number>
  bool Take(std::size_t count, std::vector<Number>& numbers) {
    static_assert(std::is_arithmetic_v<Number>);
    if (count > bytes_.size() / sizeof(Number)) {
      return false;
    }
    numbers.resize(count);
    if (count > 0) {
      std::memcpy(numbers.data(), bytes_.data(), count * sizeof(Number));
    }
    bytes_.remove_prefix(count * sizeof(Number));
    return true;
  }

 private:
  std::string_view bytes_;
};

/// Appends a number's bytes.
template <typename Number>
void AppendTo(std::string& bytes, Number number) {
  static_assert(std::is_arithmetic_v<Number>);
  std::array<char, sizeof(Number)> raw{};
  std::memcpy(raw.data(), &number, sizeof(Number));
  bytes.append(raw.data(), raw.size());
}

}  // namespace millrace::data
