// Compression: zstd frames with a checksum, or nothing where they would be no smaller.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace millrace::storage {

/// Makes frames one after another. Not thread-safe.
class Compressor {
 public:
  /// A higher level makes smaller frames and takes longer.
  explicit Compressor(int level);
  ~Compressor();
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  /// The frame of `bytes`, or empty when it is no smaller than they are.
  std::string Compress(std::string_view bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The bytes of a frame. DATA_LOSS when it is damaged or its bytes are not `size`, which is known
/// from elsewhere: two places must agree before that much memory is asked for.
absl::StatusOr<std::string> Decompress(std::string_view frame, std::uint64_t size);

}  // namespace millrace::storage
