// RowHash: a keyed hash of what a row says, the same on every machine and in any order of rows.

#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/features/table.h"

namespace millrace::features {

using HashKey = std::array<std::uint64_t, 2>;

/// SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012) of `bytes`.
std::uint64_t SipHash(HashKey key, std::string_view bytes);

/// What a row or a text says, in two words. Where both are equal, what was said is the same but for
/// a chance of 2^-128 a pair.
struct Said {
  std::uint64_t rank = 0;   // SipHash-2-4; what rows are put in order by
  std::uint64_t check = 0;  // the next word that the same state gives, texts' own checks added

  friend auto operator<=>(const Said&, const Said&) = default;
};

/// SipHash of a text and the word that follows it.
Said SayText(HashKey key, std::string_view text);

/// One a row of columns of equal length. The rank is SipHash-2-4 over the row's canonical bytes,
/// eight a column in the schema's order: the number's IEEE 754 bits with -0 as 0, the SipHash of
/// the text, or an all-ones word (no finite number has these bits) for a missing cell. Rows that
/// say the same have the same words.
std::vector<Said> SayRows(std::span<const ColumnCells> columns, HashKey key);

/// The word of one cell, as it stands in those bytes. `texts` are the SipHashes of the column's
/// dictionary.
std::uint64_t CellWord(const ColumnCells& cells,
                       std::size_t row,
                       std::span<const std::uint64_t> texts);

/// The word of a missing cell.
inline constexpr std::uint64_t kMissingWord = ~std::uint64_t{0};

}  // namespace millrace::features
