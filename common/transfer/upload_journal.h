// UploadJournal: what is written beside the bytes of an upload, so that it can go on after a
// restart.
//
// Text. The first line says what the upload is, each further one how many bytes of it were on the
// medium at a time, in seconds since 1970; the last whole line counts:
//
//     millrace-upload 1 {SHA-256 of the header, 64 hexadecimal digits}
//     0 1700000000
//     8388608 1700000007

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace millrace::transfer {

struct UploadProgress {
  std::int64_t received_bytes = 0;
  std::int64_t time_seconds = 0;
};

struct UploadJournal {
  std::string header_sha256;  // 64 hexadecimal digits
  UploadProgress last;
  std::int64_t size_bytes = 0;  // of the lines that count; what follows them was never whole
};

/// The first line.
std::string JournalHead(std::string_view header_sha256);

/// A further line.
std::string JournalLine(const UploadProgress& progress);

/// Reads up to the first line that is not whole. DATA_LOSS when there is no head or no progress.
absl::StatusOr<UploadJournal> ParseJournal(std::string_view text);

}  // namespace millrace::transfer
