#include "common/transfer/transfer.h"

#include "common/status/status.h"

namespace millrace::transfer {

absl::Status Receiver::Take(const v1::Chunk& chunk) {
  const auto size = static_cast<std::int64_t>(chunk.data().size());
  if (size < 1 || size > kChunkBytesMax) {
    return InvalidArgument("a chunk must have 1 to {} bytes, found {}", kChunkBytesMax, size);
  }
  if (chunk.offset() != size_bytes_) {
    return InvalidArgument(
        "the next chunk must begin at byte {}, found offset {}", size_bytes_, chunk.offset());
  }
  if (size > size_bytes_max_ - size_bytes_) {
    return ResourceExhausted("an upload may have at most {} bytes", size_bytes_max_);
  }
  RETURN_IF_ERROR(sink_(chunk.data()));
  sha256_.Update(chunk.data());
  size_bytes_ += size;
  return absl::OkStatus();
}

absl::StatusOr<std::string> Receiver::Finish(const v1::Close& close) {
  if (close.size_bytes() != size_bytes_) {
    return DataLoss(
        "the close says that {} bytes were sent, found {}", close.size_bytes(), size_bytes_);
  }
  const std::string sha256 = sha256_.Finish();
  if (close.sha256() != sha256) {
    return DataLoss("the close says that the bytes have SHA-256 {}, found {}",
                    storage::ToHex(std::string_view(close.sha256()).substr(0, sha256.size())),
                    storage::ToHex(sha256));
  }
  return storage::ToHex(sha256);
}

absl::Status Send(const std::function<absl::StatusOr<std::string>(std::int64_t)>& read,
                  const std::function<bool(const v1::Chunk&)>& send_chunk,
                  const std::function<bool(const v1::Close&)>& send_close) {
  storage::Sha256 sha256;
  std::int64_t offset = 0;
  while (true) {
    ASSIGN_OR_RETURN(std::string bytes, read(kChunkBytesMax));
    if (bytes.empty()) {
      break;
    }
    sha256.Update(bytes);
    v1::Chunk chunk;
    chunk.set_offset(offset);
    offset += static_cast<std::int64_t>(bytes.size());
    chunk.set_data(std::move(bytes));
    if (!send_chunk(chunk)) {
      return absl::OkStatus();
    }
  }
  v1::Close close;
  close.set_size_bytes(offset);
  close.set_sha256(sha256.Finish());
  send_close(close);
  return absl::OkStatus();
}

}  // namespace millrace::transfer
