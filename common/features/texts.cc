#include "common/features/texts.h"

#include "common/status/check.h"

namespace millrace::features {

Texts Texts::Split(std::string_view bytes, std::span<const std::uint32_t> sizes) {
  Texts texts;
  texts.ends_.reserve(sizes.size());
  std::size_t end = 0;
  for (const std::uint32_t size : sizes) {
    end += size;
    texts.ends_.push_back(end);
  }
  CHECK(end == bytes.size());
  texts.bytes_ = bytes;
  return texts;
}

}  // namespace millrace::features
