// Receiver: the receiving end of the chunk protocol (proto/millrace/transfer/v1).

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/transfer/v1/transfer.pb.h"

#include "common/storage/sha256.h"

namespace millrace::transfer {

constexpr std::int64_t kChunkBytesMax = std::int64_t{1} << 20;

/// The receiving end: checks order, sizes and digest, and hands the bytes on. Not thread-safe.
class Receiver {
 public:
  using Sink = std::function<absl::Status(std::string_view)>;

  /// Refuses more than `size_bytes_max` in all with RESOURCE_EXHAUSTED.
  Receiver(std::int64_t size_bytes_max, Sink sink)
      : size_bytes_max_(size_bytes_max),
        sink_(std::move(sink)) {}

  /// INVALID_ARGUMENT for an empty chunk, one over kChunkBytesMax, or one out of order; or what the
  /// sink says.
  absl::Status Take(const v1::Chunk& chunk);

  /// Counts bytes that the sink had before this object was made, and that the digest is of, too.
  void Skip(std::string_view bytes);

  /// DATA_LOSS when size or digest differ; else the digest, 64 hexadecimal digits. Ends the use of
  /// this object.
  absl::StatusOr<std::string> Finish(const v1::Close& close);

  [[nodiscard]] std::int64_t size_bytes() const { return size_bytes_; }

 private:
  std::int64_t size_bytes_max_;
  Sink sink_;
  std::int64_t size_bytes_ = 0;
  storage::Sha256 sha256_;
};

}  // namespace millrace::transfer
