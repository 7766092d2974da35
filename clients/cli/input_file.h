// InputFile: a file of the user's, opened for reading.

#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace millrace::cli {

/// An open file and its size.
struct InputFile {
  std::ifstream stream;
  std::int64_t size_bytes = 0;
};

/// Opens the file at `path`, `what` it is in a few words ("a CSV file"). NOT_FOUND when there is
/// none; INVALID_ARGUMENT for a folder, and for what cannot be read.
absl::StatusOr<InputFile> OpenInput(const std::string& path, std::string_view what);

/// The SHA-256 of the file at `path`, hexadecimal. Fails as OpenInput() does.
absl::StatusOr<std::string> DigestOf(const std::string& path);

}  // namespace millrace::cli
