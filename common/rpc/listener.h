// Listener: accepts a server's connections, so many in all and so many of one address.

#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <sys/types.h>

#include "common/rpc/peer_slots.h"

namespace millrace::rpc {

/// Connections that are open at once.
struct ConnectionLimits {
  std::int64_t all = 0;
  std::int64_t of_address = 0;  // IPv6: of its first 64 bits
};

/// `limits`, or less where this process may not have that many descriptors: 256, or half of them
/// where that is less, are left for files and for connections that it makes itself.
ConnectionLimits FittingDescriptors(ConnectionLimits limits);

/// Accepts on a thread of its own and gives each connection away; what is over a limit is closed at
/// once. gRPC 1.51 counts nothing, and loses its own listener for good when descriptors run out
/// (CVE-2023-4785): this one goes on. Thread-safe.
///
/// It learns that a connection has ended by looking whether its descriptor still is that socket,
/// which it does only when a limit is reached: nothing is asked of a call.
class Listener {
 public:
  /// Gets the descriptor, not blocking, of a connection from the peer of `slot` (peer_slots.h), and
  /// owns it from then on.
  using Take = std::function<void(int descriptor, std::size_t slot)>;

  /// Listens on host:port; port 0 takes a free one. A host that is every address means IPv6 as well
  /// as IPv4, and a name all that it stands for. UNAVAILABLE when that cannot be had.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(const std::string& address,
                                                        ConnectionLimits limits,
                                                        PeerSlots& slots);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  [[nodiscard]] int port() const { return port_; }

  /// Begins to accept. Called once; until then connections wait in the kernel.
  void Start(Take take);

  /// Closes the port. Connections that were given away stay. Idempotent.
  void Stop();

  /// Connections that were closed because of a limit.
  [[nodiscard]] std::int64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  struct Connection {
    int descriptor = -1;
    ino_t inode = 0;
    std::string peer;
    std::size_t slot = 0;
  };

  Listener(ConnectionLimits limits, PeerSlots& slots);

  absl::Status Bind(const std::string& address);
  void Serve();
  void AcceptOne(int listening);
  void WaitForDescriptors(int listening);
  bool HasRoom(const std::string& peer);
  bool IsFull(const std::string& peer) const;
  void ForgetEnded();

  const ConnectionLimits limits_;
  PeerSlots& slots_;
  int port_ = 0;
  std::vector<int> listening_;
  int stop_ = -1;   // an eventfd
  int spare_ = -1;  // given up for a moment when there is no other descriptor
  Take take_;
  // Of the thread alone.
  std::vector<Connection> connections_;
  std::unordered_map<std::string, std::int64_t> by_peer_;
  std::chrono::steady_clock::time_point looked_;  // for ended ones
  std::atomic<std::int64_t> refused_{0};
  std::once_flag stopped_;
  std::thread thread_;
};

}  // namespace millrace::rpc
