#include "common/csv/record_scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <emmintrin.h>  // SSE2, which every x86-64 machine has

namespace millrace::csv {

namespace {

constexpr std::size_t kBlock = 64;

// Bit i says whether byte i is `wanted`.
std::uint64_t MaskOf(const char* bytes, char wanted) {
  const __m128i pattern = _mm_set1_epi8(wanted);
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < kBlock; i += sizeof(__m128i)) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how SSE2 loads bytes.
    const __m128i some = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i));
    const int bits = _mm_movemask_epi8(_mm_cmpeq_epi8(some, pattern));
    mask |= static_cast<std::uint64_t>(static_cast<std::uint32_t>(bits)) << i;
  }
  return mask;
}

// Bit i says whether an odd number of the bits [0, i] are set.
std::uint64_t Parity(std::uint64_t mask) {
  for (unsigned shift = 1; shift < kBlock; shift *= 2) {
    mask ^= mask << shift;
  }
  return mask;
}

}  // namespace

void RecordScan::Add(std::string_view bytes) {
  for (; bytes.size() >= kBlock; bytes.remove_prefix(kBlock)) {
    AddBlock(bytes.data(), kBlock);
  }
  if (!bytes.empty()) {
    std::array<char, kBlock> padded{};
    std::memcpy(padded.data(), bytes.data(), bytes.size());
    AddBlock(padded.data(), bytes.size());
  }
}

void RecordScan::AddBlock(const char* bytes, std::size_t size) {
  const std::uint64_t quotes = MaskOf(bytes, '"');
  const std::uint64_t feeds = MaskOf(bytes, '\n');
  const std::uint64_t inside = quotes == 0 ? inside_ : Parity(quotes) ^ inside_;
  const std::uint64_t ends = feeds & ~inside;
  if (ends != 0) {
    const int last = 63 - std::countl_zero(ends);
    end_ = size_ + static_cast<std::size_t>(last) + 1;
    const std::uint64_t up_to_last = ~std::uint64_t{0} >> static_cast<unsigned>(63 - last);
    line_feeds_at_end_ = line_feeds_ + std::popcount(feeds & up_to_last);
  }
  line_feeds_ += std::popcount(feeds);
  if (std::popcount(quotes) % 2 == 1) {
    inside_ = ~inside_;
  }
  size_ += size;
}

}  // namespace millrace::csv
