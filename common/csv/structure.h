// Structure: where the delimiters, quotes and line ends of a text stand, found 64 bytes at a time.

#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <emmintrin.h>  // SSE2, which every x86-64 machine has

namespace millrace::csv {

/// Walks over the structural bytes of a buffer, front to back.
///
/// Does not own the buffer, which must have kPadding readable bytes after its end. Not thread-safe.
class Structure {
 public:
  static constexpr std::size_t kPadding = 64;
  static constexpr std::size_t kNone = ~std::size_t{0};

  /// Begins at position 0 of `data` [size].
  Structure(const char* data, std::size_t size, char delimiter)
      : data_(data),
        size_(size),
        delimiter_(_mm_set1_epi8(delimiter)),
        mask_(Mask(0)) {}

  /// The position of the next delimiter, quote, carriage return or line feed, or kNone.
  std::size_t Next() {
    while (mask_ == 0) {
      block_ += kBlock;
      if (block_ >= size_) {
        return kNone;
      }
      mask_ = Mask(block_);
    }
    const std::size_t position = block_ + static_cast<std::size_t>(std::countr_zero(mask_));
    mask_ &= mask_ - 1;
    return position < size_ ? position : kNone;
  }

  /// Goes on at `position`, which may be one of the structural bytes.
  void Seek(std::size_t position) {
    block_ = position & ~(kBlock - 1);
    mask_ = block_ < size_ ? Mask(block_) & (~std::uint64_t{0} << (position % kBlock)) : 0;
  }

 private:
  static constexpr std::size_t kBlock = 64;

  // Bit i says whether byte block + i is structural.
  [[nodiscard]] std::uint64_t Mask(std::size_t block) const {
    std::uint64_t mask = 0;
    for (std::size_t i = 0; i < kBlock; i += sizeof(__m128i)) {
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how SSE2 loads bytes.
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data_ + block + i));
      const __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')),
                                        _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r')));
      const __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                         _mm_cmpeq_epi8(bytes, delimiter_));
      const int bits = _mm_movemask_epi8(_mm_or_si128(ends, marks));
      mask |= static_cast<std::uint64_t>(static_cast<std::uint32_t>(bits)) << i;
    }
    return mask;
  }

  const char* data_;
  std::size_t size_;
  __m128i delimiter_;
  std::size_t block_ = 0;
  std::uint64_t mask_;
};

}  // namespace millrace::csv
