#include "common/transfer/sender.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/status/status.h"
#include "common/transfer/transfer.h"

namespace millrace::transfer {

// Reads, and hashes what was not read before. Requires: offset <= hashed_.
absl::StatusOr<std::string> Sender::Read(std::int64_t offset, std::int64_t size) {
  ASSIGN_OR_RETURN(std::string bytes, source_(offset, size));
  const std::int64_t end = offset + static_cast<std::int64_t>(bytes.size());
  const bool shrank = bytes.empty() && offset < hashed_;
  const bool grew = !digest_.empty() && end > hashed_;
  if (shrank || grew) {
    return DataLoss("what is sent had {} bytes before and has {} now", hashed_, end);
  }
  if (end > hashed_) {
    sha256_.Update(std::string_view(bytes).substr(static_cast<std::size_t>(hashed_ - offset)));
    hashed_ = end;
  }
  return bytes;
}

absl::Status Sender::SendFrom(std::int64_t offset, const SendChunk& chunk, const SendClose& close) {
  while (hashed_ < offset) {
    ASSIGN_OR_RETURN(const std::string skipped,
                     Read(hashed_, std::min(kChunkBytesMax, offset - hashed_)));
    if (skipped.empty()) {
      return DataLoss("the peer has {} bytes of what has only {}", offset, hashed_);
    }
  }
  while (true) {
    ASSIGN_OR_RETURN(std::string bytes, Read(offset, kChunkBytesMax));
    if (bytes.empty()) {
      break;
    }
    v1::Chunk next;
    next.set_offset(offset);
    offset += static_cast<std::int64_t>(bytes.size());
    next.set_data(std::move(bytes));
    if (!chunk(std::move(next))) {
      return absl::OkStatus();
    }
  }
  if (digest_.empty()) {
    digest_ = sha256_.Finish();
  }
  v1::Close last;
  last.set_size_bytes(offset);
  last.set_sha256(digest_);
  close(std::move(last));
  return absl::OkStatus();
}

}  // namespace millrace::transfer
