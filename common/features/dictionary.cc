#include "common/features/dictionary.h"

#include <utility>

#include <absl/hash/hash.h>
#include <absl/types/span.h>

namespace millrace::features {

std::int32_t Dictionary::Code(std::string_view text) {
  if (2 * texts_.size() >= slots_.size()) {
    Grow();
  }
  // Abseil's hash differs from process to process; the codes do not depend on it.
  const auto hash =
      static_cast<std::uint32_t>(absl::Hash<absl::Span<const char>>()({text.data(), text.size()}));
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].code >= 0) {
    const Slot& slot = slots_[at];
    if (slot.hash == hash && texts_[static_cast<std::size_t>(slot.code)] == text) {
      return slot.code;
    }
    at = (at + 1) & mask;
  }
  slots_[at] = {.hash = hash, .code = static_cast<std::int32_t>(texts_.size())};
  texts_.push_back(text);
  return slots_[at].code;
}

void Dictionary::Grow() {
  constexpr std::size_t kSlotsMin = 16;
  const std::vector<Slot> old =
      std::exchange(slots_, std::vector<Slot>(slots_.empty() ? kSlotsMin : 2 * slots_.size()));
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.code < 0) {
      continue;
    }
    std::size_t at = slot.hash & mask;
    while (slots_[at].code >= 0) {
      at = (at + 1) & mask;
    }
    slots_[at] = slot;
  }
}

Texts Dictionary::Release() {
  slots_.clear();
  return std::exchange(texts_, {});
}

}  // namespace millrace::features
