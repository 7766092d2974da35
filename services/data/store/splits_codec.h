// SplitsCodec: which row is in which split, as bytes.
//
//     "MRSPLITS"  8 bytes
//     version     uint32, 1
//     rows        uint64
//     split       one byte a row: 1 train, 2 validation, 3 test
//
// Numbers are little-endian.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace millrace::data {

/// Rows of a table, ascending; every row is in exactly one of the three.
struct Splits {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;
  std::vector<std::int64_t> test;
};

/// Requires: every number in [0, rows) once.
std::string EncodeSplits(const Splits& splits);

/// DATA_LOSS when the bytes are no splits.
absl::StatusOr<Splits> DecodeSplits(std::string_view bytes);

}  // namespace millrace::data
