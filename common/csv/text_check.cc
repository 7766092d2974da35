#include "common/csv/text_check.h"

#include <cstdint>
#include <cstring>

namespace millrace::csv {

namespace {

// The first byte of a character says how many follow and, for the second byte, which range is
// allowed (Unicode 15.0, table 3-7); the others are in [0x80, 0xBF].
struct Lead {
  std::size_t length = 0;  // 0: no first byte
  unsigned char second_min = 0x80;
  unsigned char second_max = 0xBF;
};

Lead LeadOf(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) {
    return {.length = 2};
  }
  if (byte >= 0xE0 && byte <= 0xEF) {
    return {.length = 3,
            .second_min = static_cast<unsigned char>(byte == 0xE0 ? 0xA0 : 0x80),
            .second_max = static_cast<unsigned char>(byte == 0xED ? 0x9F : 0xBF)};
  }
  if (byte >= 0xF0 && byte <= 0xF4) {
    return {.length = 4,
            .second_min = static_cast<unsigned char>(byte == 0xF0 ? 0x90 : 0x80),
            .second_max = static_cast<unsigned char>(byte == 0xF4 ? 0x8F : 0xBF)};
  }
  return {};
}

// Checks the character that begins `bytes`, which is not ASCII; on success its length is in
// `valid_bytes`.
TextCheck CheckCharacter(std::string_view bytes) {
  const Lead lead = LeadOf(static_cast<unsigned char>(bytes.front()));
  if (lead.length == 0) {
    return {.valid_bytes = 0, .end = TextCheck::End::kInvalid};
  }
  for (std::size_t i = 1; i < lead.length; ++i) {
    if (i >= bytes.size()) {
      return {.valid_bytes = 0, .end = TextCheck::End::kCut};
    }
    const auto byte = static_cast<unsigned char>(bytes[i]);
    const unsigned char least = i == 1 ? lead.second_min : 0x80;
    const unsigned char most = i == 1 ? lead.second_max : 0xBF;
    if (byte < least || byte > most) {
      return {.valid_bytes = 0, .end = TextCheck::End::kInvalid};
    }
  }
  return {.valid_bytes = lead.length, .end = TextCheck::End::kAll};
}

// Whether eight bytes are ASCII without NUL: subtracting 1 from a byte that is 0 sets its high bit.
bool IsPlain(const char* bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return (((word - kOnes) | word) & (kOnes << 7U)) == 0;
}

}  // namespace

TextCheck CheckText(std::string_view bytes) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (at + kWord <= bytes.size() && IsPlain(bytes.data() + at)) {
      at += kWord;
      continue;
    }
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (byte == 0) {
      return {.valid_bytes = at, .end = TextCheck::End::kNul};
    }
    if (byte < 0x80) {
      ++at;
      continue;
    }
    const TextCheck character = CheckCharacter(bytes.substr(at));
    if (character.end != TextCheck::End::kAll) {
      return {.valid_bytes = at, .end = character.end};
    }
    at += character.valid_bytes;
  }
  return {.valid_bytes = at, .end = TextCheck::End::kAll};
}

}  // namespace millrace::csv
