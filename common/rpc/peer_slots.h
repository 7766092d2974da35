// PeerSlots: which addresses a server's connections come from, for those who see only a slot.

#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace millrace::rpc {

/// gRPC asks about a call's credentials without saying where the call comes from. So each address
/// gets a slot while it has connections, a slot has credentials of its own, and those know their
/// slot. More addresses at once than there are slots share the first one. Thread-safe.
class PeerSlots {
 public:
  /// At least one slot, the shared one.
  explicit PeerSlots(std::size_t count) : slots_(count == 0 ? 1 : count) {}

  /// A connection from `peer` begins.
  std::size_t Take(const std::string& peer);

  /// A connection that has `slot` has ended.
  void GiveBack(std::size_t slot);

  /// The address of `slot`, as of its last connection; "several addresses" for the shared one.
  [[nodiscard]] std::string PeerOf(std::size_t slot) const;

  [[nodiscard]] std::size_t count() const { return slots_.size(); }

 private:
  struct Slot {
    std::string peer;
    std::int64_t connections = 0;
  };

  mutable std::mutex mutex_;
  std::vector<Slot> slots_;  // guarded by mutex_
};

}  // namespace millrace::rpc
