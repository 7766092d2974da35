// Header: whether the first record names the columns, and how.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "common/csv/tokenizer.h"
#include "common/features/cell.h"

namespace millrace::data {

/// The first records of a file, cell by cell.
using SampleRecords = std::vector<std::vector<std::string>>;

/// Says yes when some column has numbers or times below a text; no when the first record has a
/// number or a time otherwise, or a text that its column repeats; else yes.
bool DetectHeader(const SampleRecords& records, const features::MissingSpellings& missing);

/// Names from the first record; an empty one becomes `column_{i}`, counted from 1.
/// INVALID_ARGUMENT, with its place, for a name that stands twice or has more than 256 bytes.
absl::StatusOr<std::vector<std::string>> ReadNames(const csv::Record& record,
                                                   std::string_view file_name);

/// `column_1`, `column_2` and on.
std::vector<std::string> NumberedNames(std::size_t count);

}  // namespace millrace::data
