// RowHash: a keyed hash of what a row says, the same on every machine and in any order of rows.

#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/features/table.h"

namespace millrace::features {

using HashKey = std::array<std::uint64_t, 2>;

/// SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012) of `bytes`.
std::uint64_t SipHash(HashKey key, std::string_view bytes);

/// One hash a row: SipHash-2-4 over the row's canonical bytes, eight a column in the schema's
/// order: the number's IEEE 754 bits with -0 as 0, the SipHash of the text, or an all-ones word (no
/// finite number has these bits) for a missing cell. Rows that say the same have the same hash;
/// rows that differ share one with a chance of 2^-64 a pair.
std::vector<std::uint64_t> HashRows(const Table& table, HashKey key);

/// Whether two rows say the same: equal cells in every column.
bool SameRow(const Table& table, std::int64_t left, std::int64_t right);

}  // namespace millrace::features
