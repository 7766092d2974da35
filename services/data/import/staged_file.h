// StagedFile: the bytes of an upload, as the steps of an import see them.

#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <absl/status/statusor.h>

namespace millrace::data {

/// Bytes that can be read at any position and more than once.
///
/// `read(offset, size)` gives exactly the bytes [offset, min(offset + size, this->size)); an error
/// ends the import and is returned as it came. What it reads from must not change meanwhile.
struct StagedFile {
  std::int64_t size = 0;
  std::function<absl::StatusOr<std::string>(std::int64_t offset, std::int64_t size)> read;
};

}  // namespace millrace::data
