// ClientSocket: a TCP connection that says nothing.

#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace millrace::rpc {

/// Not thread-safe. Errors are those of a connection that was closed.
class ClientSocket {
 public:
  ClientSocket() : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}

  /// A connection to `port` of the loopback, from `address`, another of its addresses.
  explicit ClientSocket(int port, const std::string& address = "127.0.0.1") : ClientSocket() {
    Connect(port, address);
  }

  ~ClientSocket() { close(descriptor_); }

  ClientSocket(ClientSocket&& other) noexcept : descriptor_(other.descriptor_) {
    other.descriptor_ = -1;
  }

  ClientSocket(const ClientSocket&) = delete;
  ClientSocket& operator=(const ClientSocket&) = delete;
  ClientSocket& operator=(ClientSocket&&) = delete;

  void Connect(int port, const std::string& address = "127.0.0.1") const {
    sockaddr_in from{};
    from.sin_family = AF_INET;
    inet_pton(AF_INET, address.c_str(), &from.sin_addr);
    bind(descriptor_, reinterpret_cast<const sockaddr*>(&from), sizeof from);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }

  /// What comes first, empty when the peer closes the connection.
  [[nodiscard]] std::string Read() const {
    pollfd readable{.fd = descriptor_, .events = POLLIN, .revents = 0};
    constexpr int kStuckMs = 20'000;
    std::array<char, 4'096> bytes{};
    if (poll(&readable, 1, kStuckMs) != 1) {
      return "nothing came";
    }
    const ssize_t size = recv(descriptor_, bytes.data(), bytes.size(), 0);
    return {bytes.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
  }

 private:
  int descriptor_;
};

}  // namespace millrace::rpc
