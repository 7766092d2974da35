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

void Receiver::Skip(std::string_view bytes) {
  sha256_.Update(bytes);
  size_bytes_ += static_cast<std::int64_t>(bytes.size());
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

}  // namespace millrace::transfer
