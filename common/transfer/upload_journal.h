// UploadJournal: what is written beside the bytes of an upload, so that it can go on after a
// restart.
//
// Text. The first line says what the upload is, each further one how many bytes of it were on the
// medium at a time, in seconds since 1970; the last whole line counts:
//
//     millrace-upload 2 {SHA-256 of the header, 64 hexadecimal digits} {subject} {sender}
//     0 1700000000
//     8388608 1700000007
//
// Journals of version 1 have neither subject nor sender and are read as well.

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

/// What an upload is; nothing of it changes.
struct UploadOrigin {
  std::string header_sha256;  // 64 hexadecimal digits
  std::string subject;        // `datasets/{dataset}` or `models/{model}`; empty: unknown
  std::string sender;         // 16 hexadecimal digits that stand for who sends it; empty: unknown
};

struct UploadJournal {
  UploadOrigin origin;
  UploadProgress last;
  std::int64_t size_bytes = 0;  // of the lines that count; what follows them was never whole
};

/// The first line. Requires: the subject has no blanks and no line ends.
std::string JournalHead(const UploadOrigin& origin);

/// A further line.
std::string JournalLine(const UploadProgress& progress);

/// Reads up to the first line that is not whole. DATA_LOSS when there is no head or no progress.
absl::StatusOr<UploadJournal> ParseJournal(std::string_view text);

}  // namespace millrace::transfer
