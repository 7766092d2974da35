#include "common/rpc/peer_slots.h"

namespace millrace::rpc {

std::size_t PeerSlots::Take(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  std::size_t free = 0;
  for (std::size_t i = 1; i < slots_.size(); ++i) {
    if (slots_[i].peer == peer) {
      ++slots_[i].connections;
      return i;
    }
    // Rather one that nobody had: a last call of the peer before may still ask for its address.
    if (slots_[i].connections == 0 &&
        (free == 0 || (slots_[i].peer.empty() && !slots_[free].peer.empty()))) {
      free = i;
    }
  }
  if (free != 0) {
    slots_[free] = {.peer = peer, .connections = 1};
  }
  return free;
}

void PeerSlots::GiveBack(std::size_t slot) {
  const std::lock_guard lock(mutex_);
  if (slot > 0 && slot < slots_.size() && slots_[slot].connections > 0) {
    --slots_[slot].connections;
  }
}

std::string PeerSlots::PeerOf(std::size_t slot) const {
  const std::lock_guard lock(mutex_);
  return slot == 0 || slot >= slots_.size() ? "several addresses" : slots_[slot].peer;
}

}  // namespace millrace::rpc
