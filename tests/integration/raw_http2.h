// RawHttp2: a client that says what it likes, for what no well-behaved one would do.

#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace millrace::integration {

/// One plain-text HTTP/2 connection (RFC 9113) to a gRPC server. It keeps to flow control, because
/// a peer that does not is cut off at once. Headers are sent without compression (RFC 7541, 6.2.2).
/// Errors of the connection are its end. Not thread-safe.
class RawHttp2 {
 public:
  /// `address` is host:port of the loopback.
  explicit RawHttp2(const std::string& address);
  ~RawHttp2();
  RawHttp2(const RawHttp2&) = delete;
  RawHttp2& operator=(const RawHttp2&) = delete;

  /// Opens the next stream: a call of `path`, and the prefix of a message that is said to have
  /// `message_bytes`.
  void BeginCall(std::string_view path, std::uint32_t message_bytes);

  /// Sends up to `bytes` of zeros on every open stream as far as the windows allow. Returns once
  /// all are sent, the peer has ended the connection, or nothing has moved for `patience`.
  void Send(std::int64_t bytes, std::chrono::milliseconds patience);

  /// Whether the peer has ended the connection.
  [[nodiscard]] bool ended() const { return ended_; }

  /// Streams that the peer has neither answered nor reset.
  [[nodiscard]] std::size_t open_streams() const { return streams_.size(); }

 private:
  struct Stream {
    std::int64_t window = 0;
    std::int64_t unsent = 0;
  };

  void WriteFrame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view);
  bool SendSome();
  bool ReadSome(std::chrono::milliseconds patience);
  void TakeFrame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view);
  void TakeSettings(std::string_view payload);

  int socket_ = -1;
  bool ended_ = false;
  std::uint32_t next_stream_ = 1;
  std::int64_t window_ = 65'535;
  std::int64_t stream_window_ = 65'535;
  std::map<std::uint32_t, Stream> streams_;
  std::string received_;
};

}  // namespace millrace::integration
