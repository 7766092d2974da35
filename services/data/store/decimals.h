// Decimals: numbers as whole numbers over one power of ten, where that says the same.
//
//     exponent    uint32, 0 to 15
//     width       uint32, 0 to 7: bytes that hold the largest offset
//     base        int64, the least whole number
//     offsets     `width` planes of one byte a row, the lowest bytes first
//
// The number of a row is (base + offset) / 10^exponent, rounded once, as reading its decimal text
// rounds it: so what was read from text comes back to the bit. Measured values have few decimals
// and take 2 or 3 bytes instead of 8, the upper planes of which are mostly one byte again and
// again. The idea is that of A. Afroozeh, P. Boncz: ALP, Adaptive Lossless floating-Point
// Compression, SIGMOD 2024.

#pragma once

#include <string>
#include <vector>

#include "services/data/store/byte_reader.h"

namespace millrace::data {

/// Appends `numbers` in the smallest exponent that fits them all. Appends nothing and returns false
/// when none does: more than 15 decimals, whole numbers beyond 2^51, -0, not finite, or no number.
bool AppendDecimals(const std::vector<double>& numbers, std::string& bytes);

/// Takes `rows` numbers. False when the bytes are none, or too few.
bool TakeDecimals(std::size_t rows, ByteReader& reader, std::vector<double>& numbers);

}  // namespace millrace::data
