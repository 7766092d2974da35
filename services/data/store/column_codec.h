// ColumnCodec: some cells of a column as bytes.
//
//     "MRCOLUMN"  8 bytes
//     version     uint32, 1
//     kind        uint32, 0 numbers, 1 texts, 2 decimals
//     rows        uint64
//     validity    one byte a row, 1 where there is a value, 0 elsewhere
//     kind 0:     one float64 a row, 0 where there is no value
//     kind 1:     one int32 a row, an index into the dictionary, 0 where there is no value;
//                 uint32 texts in the dictionary; each a uint32 size and its bytes
//     kind 2:     numbers as decimals.h has them, 0 where there is no value
//
// Numbers are little-endian, and decimals where they can be. Equal cells give equal bytes.

#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "common/features/table.h"

namespace millrace::data {

/// The bytes of these cells; `numeric` says which kind.
std::string EncodeColumn(const features::ColumnCells& column, bool numeric);

/// The cells of these bytes, or DATA_LOSS when they are none.
absl::StatusOr<features::ColumnCells> DecodeColumn(std::string_view bytes);

}  // namespace millrace::data
