// Sender: the sending end of the chunk protocol (proto/millrace/transfer/v1).

#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/transfer/v1/transfer.pb.h"

#include "common/storage/sha256.h"

namespace millrace::transfer {

/// What is sent: up to `size` bytes at `offset`, none from its end on. Gives the same bytes
/// whenever it is asked for them.
using Source = std::function<absl::StatusOr<std::string>(std::int64_t offset, std::int64_t size)>;

/// Cuts a source into chunks and closes with the digest of the whole, as often as the stream breaks
/// and from any offset; each byte is hashed once. Not thread-safe.
class Sender {
 public:
  /// Both return false when the peer has ended the call.
  using SendChunk = std::function<bool(v1::Chunk)>;
  using SendClose = std::function<bool(v1::Close)>;

  explicit Sender(Source source) : source_(std::move(source)) {}

  /// Sends what is from `offset` on. OK also when the peer has ended the call, whose own status
  /// tells why; an error is the source's, or DATA_LOSS when the source has changed its size.
  absl::Status SendFrom(std::int64_t offset, const SendChunk& chunk, const SendClose& close);

 private:
  absl::StatusOr<std::string> Read(std::int64_t offset, std::int64_t size);

  Source source_;
  storage::Sha256 sha256_;
  std::int64_t hashed_ = 0;  // bytes of the source that sha256_ has seen
  std::string digest_;       // of the whole; empty until its end was read
};

}  // namespace millrace::transfer
