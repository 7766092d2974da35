// SplitsCodec: which row is in which split, as bytes.
//
//     "MRSPLITS"  8 bytes
//     version     uint32, 1
//     rows        uint64
//     split       one byte a row: 1 train, 2 validation, 3 test
//
// Numbers are little-endian.

#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "common/features/row_groups.h"

namespace millrace::data {

/// The splits of the rows that are not dropped.
std::string EncodeSplits(const features::RowMarks& marks);

/// DATA_LOSS when the bytes are no splits.
absl::StatusOr<features::RowMarks> DecodeSplits(std::string_view bytes);

}  // namespace millrace::data
