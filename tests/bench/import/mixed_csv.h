// MixedCsv: a file as tables of people come, made up, the same on every machine.

#pragma once

#include <cstdint>
#include <string>

#include <absl/status/status.h>

namespace millrace::data {

/// Writes a CSV of at least `bytes` to `path`: an id, twelve reals of which 3 % are missing, four
/// integers, a category with NA, a boolean, an ISO 8601 time, a quoted text with quotes and commas
/// inside, and a label of two classes. Twenty-two columns, about 210 bytes a row.
absl::Status WriteMixedCsv(const std::string& path, std::int64_t bytes);

}  // namespace millrace::data
