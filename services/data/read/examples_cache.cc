#include "services/data/read/examples_cache.h"

#include <algorithm>
#include <iterator>

namespace millrace::data {

absl::StatusOr<std::shared_ptr<const Examples>> ExamplesCache::Get(const std::string& sha256,
                                                                   const Load& load) {
  const std::shared_ptr<Slot> slot = SlotOf(sha256);
  const std::lock_guard loading(slot->loading);
  if (slot->examples != nullptr) {
    return slot->examples;
  }
  auto loaded = load();
  const std::lock_guard lock(mutex_);
  if (!loaded.ok()) {
    Remove(*slot);
    return loaded;
  }
  slot->examples = *loaded;
  slot->size_bytes = SizeBytes(**loaded);
  Shrink();
  return loaded;
}

void ExamplesCache::Clear() {
  std::list<std::shared_ptr<Slot>> cleared;  // dies after the lock
  const std::lock_guard lock(mutex_);
  cleared.swap(slots_);
}

std::shared_ptr<ExamplesCache::Slot> ExamplesCache::SlotOf(const std::string& sha256) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(
      slots_.begin(), slots_.end(), [&](const auto& slot) { return slot->sha256 == sha256; });
  if (found != slots_.end()) {
    slots_.splice(slots_.begin(), slots_, found);
  } else {
    slots_.push_front(std::make_shared<Slot>());
    slots_.front()->sha256 = sha256;
  }
  return slots_.front();
}

void ExamplesCache::Remove(const Slot& slot) {
  slots_.remove_if([&](const auto& other) { return other.get() == &slot; });
}

void ExamplesCache::Shrink() {
  std::size_t versions = 0;
  std::int64_t bytes = 0;
  for (auto slot = slots_.begin(); slot != slots_.end();) {
    ++versions;
    bytes += (*slot)->size_bytes;
    const bool kept =
        versions == 1 || (versions <= limits_.versions_max && bytes <= limits_.bytes_max);
    slot = kept ? std::next(slot) : slots_.erase(slot);
  }
}

}  // namespace millrace::data
