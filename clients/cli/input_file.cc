#include "clients/cli/input_file.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "common/status/status.h"
#include "common/storage/sha256.h"

namespace millrace::cli {

absl::StatusOr<InputFile> OpenInput(const std::string& path, std::string_view what) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    return WithFix(NotFound("there is no file '{}'", path),
                   fmt::format("give the path of {}", what));
  }
  InputFile input;
  if (!error && status.type() == std::filesystem::file_type::regular) {
    input.size_bytes = static_cast<std::int64_t>(std::filesystem::file_size(path, error));
    input.stream.open(path, std::ios::binary);
    if (input.stream && !error) {
      return input;
    }
    error = std::error_code(errno, std::generic_category());
  }
  return WithFix(
      InvalidArgument(
          "cannot read '{}': {}", path, error ? error.message() : "it is no regular file"),
      fmt::format("give the path of {} that may be read", what));
}

absl::StatusOr<std::string> DigestOf(const std::string& path) {
  ASSIGN_OR_RETURN(InputFile input, OpenInput(path, "a file"));
  storage::Sha256 sha256;
  std::string bytes(std::size_t{1} << 20U, '\0');
  while (input.stream) {
    input.stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    sha256.Update({bytes.data(), static_cast<std::size_t>(input.stream.gcount())});
  }
  return storage::ToHex(sha256.Finish());
}

}  // namespace millrace::cli
