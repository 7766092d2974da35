#include "common/status/unprintable.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace millrace {

namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

// Unicode 15's categories Cc, Cf, Zl and Zp.
constexpr std::array<Range, 24> kRanges = {
    {{0x0000, 0x001F},   {0x007F, 0x009F},   {0x00AD, 0x00AD},   {0x0600, 0x0605},
     {0x061C, 0x061C},   {0x06DD, 0x06DD},   {0x070F, 0x070F},   {0x0890, 0x0891},
     {0x08E2, 0x08E2},   {0x180E, 0x180E},   {0x200B, 0x200F},   {0x2028, 0x2029},
     {0x202A, 0x202E},   {0x2060, 0x2064},   {0x2065, 0x2065},   {0x2066, 0x2069},
     {0x206A, 0x206F},   {0xFEFF, 0xFEFF},   {0xFFF9, 0xFFFB},   {0x110BD, 0x110BD},
     {0x110CD, 0x110CD}, {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3}, {0xE0000, 0xE007F}}};

struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;  // 0: the bytes are no UTF-8
};

Character First(std::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t bytes = byte(0) < 0x80   ? 1
                            : byte(0) < 0xC2 ? 0
                            : byte(0) < 0xE0 ? 2
                            : byte(0) < 0xF0 ? 3
                            : byte(0) < 0xF5 ? 4
                                             : 0;
  if (bytes == 0 || bytes > text.size()) {
    return {};
  }
  std::uint32_t code = bytes == 1 ? byte(0) : byte(0) & (0x7FU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) {
      return {};
    }
    code = code << 6U | (byte(i) & 0x3FU);
  }
  return {.code = code, .bytes = bytes};
}

}  // namespace

std::size_t UnprintableBytes(std::string_view text) {
  const Character character = First(text);
  const bool found = std::any_of(kRanges.begin(), kRanges.end(), [&](const Range& range) {
    return character.code >= range.first && character.code <= range.last;
  });
  return found && character.bytes > 0 ? character.bytes : 0;
}

bool HasUnprintable(std::string_view text) {
  for (; !text.empty(); text.remove_prefix(1)) {
    if (UnprintableBytes(text) > 0) {
      return true;
    }
  }
  return false;
}

}  // namespace millrace
