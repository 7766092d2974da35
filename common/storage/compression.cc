#include "common/storage/compression.h"

#include <zstd.h>

#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::storage {

struct Compressor::State {
  explicit State(int level) : context(ZSTD_createCCtx()) {
    CHECK(context != nullptr);
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  }

  ~State() { ZSTD_freeCCtx(context); }

  State(const State&) = delete;
  State& operator=(const State&) = delete;

  ZSTD_CCtx* context;
};

Compressor::Compressor(int level) : state_(std::make_unique<State>(level)) {}

Compressor::~Compressor() = default;

std::string Compressor::Compress(std::string_view bytes) {
  // No room for more than the bytes themselves: then compress2 fails, which is the answer.
  std::string frame(bytes.size(), '\0');
  const std::size_t size =
      ZSTD_compress2(state_->context, frame.data(), frame.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(size) != 0 || size >= bytes.size()) {
    return {};
  }
  frame.resize(size);
  return frame;
}

absl::StatusOr<std::string> Decompress(std::string_view frame, std::uint64_t size) {
  if (ZSTD_getFrameContentSize(frame.data(), frame.size()) != size) {
    return DataLoss("the header does not fit the content");
  }
  std::string bytes(size, '\0');
  const std::size_t got = ZSTD_decompress(bytes.data(), bytes.size(), frame.data(), frame.size());
  if (ZSTD_isError(got) != 0 || got != size) {
    return DataLoss("the compressed content is damaged");
  }
  return bytes;
}

}  // namespace millrace::storage
