#include "tests/integration/raw_http2.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace millrace::integration {

namespace {

// Frame types and flags of RFC 9113, 6.
constexpr std::uint8_t kData = 0;
constexpr std::uint8_t kHeaders = 1;
constexpr std::uint8_t kReset = 3;
constexpr std::uint8_t kSettings = 4;
constexpr std::uint8_t kPing = 6;
constexpr std::uint8_t kWindowUpdate = 8;
constexpr std::uint8_t kEndHeaders = 4;
constexpr std::uint8_t kAck = 1;

constexpr std::int64_t kFrameBytesMax = 16'384;
constexpr std::size_t kFrameHeadBytes = 9;

std::string BigEndian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) {
    text += static_cast<char>(value >> (8 * static_cast<unsigned>(i)));
  }
  return text;
}

std::uint32_t FromBigEndian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes) {
    value = value << 8U | static_cast<unsigned char>(byte);
  }
  return value;
}

std::string Field(std::string_view name, std::string_view value) {
  std::string field(1, '\0');
  for (const std::string_view text : {name, value}) {
    field += static_cast<char>(text.size());
    field += text;
  }
  return field;
}

}  // namespace

RawHttp2::RawHttp2(const std::string& address) {
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ended_ = connect(socket_, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0;
  constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  ended_ = ended_ || send(socket_, kPreface.data(), kPreface.size(), MSG_NOSIGNAL) < 0;
  WriteFrame(kSettings, 0, 0, "");
  while (!ended_ && ReadSome(std::chrono::milliseconds(50))) {
  }
}

RawHttp2::~RawHttp2() {
  close(socket_);
}

void RawHttp2::BeginCall(std::string_view path, std::uint32_t message_bytes) {
  const std::uint32_t stream = std::exchange(next_stream_, next_stream_ + 2);
  streams_[stream].window = stream_window_;
  WriteFrame(kHeaders,
             kEndHeaders,
             stream,
             Field(":method", "POST") + Field(":scheme", "http") + Field(":path", path) +
                 Field(":authority", "localhost") + Field("te", "trailers") +
                 Field("content-type", "application/grpc"));
  const std::string prefix = std::string(1, '\0') + BigEndian(message_bytes, 4);
  WriteFrame(kData, 0, stream, prefix);
  streams_[stream].window -= static_cast<std::int64_t>(prefix.size());
  window_ -= static_cast<std::int64_t>(prefix.size());
}

void RawHttp2::Send(std::int64_t bytes, std::chrono::milliseconds patience) {
  for (auto& [number, stream] : streams_) {
    stream.unsent = bytes;
  }
  const auto wants = [this] {
    return std::any_of(streams_.begin(), streams_.end(), [](const auto& entry) {
      return entry.second.unsent > 0;
    });
  };
  while (!ended_ && wants()) {
    const bool sent = SendSome();
    const bool read = ReadSome(sent ? std::chrono::milliseconds(0) : patience);
    if (!sent && !read) {
      return;
    }
  }
}

// One frame on each stream that may.
bool RawHttp2::SendSome() {
  static const std::string zeros(kFrameBytesMax, '\0');
  bool sent = false;
  std::vector<std::uint32_t> numbers;
  for (const auto& [number, stream] : streams_) {
    numbers.push_back(number);
  }
  for (const std::uint32_t number : numbers) {
    Stream& stream = streams_[number];
    const std::int64_t size = std::min({kFrameBytesMax, stream.unsent, stream.window, window_});
    if (size > 0 && !ended_) {
      WriteFrame(
          kData, 0, number, std::string_view(zeros).substr(0, static_cast<std::size_t>(size)));
      stream.unsent -= size;
      stream.window -= size;
      window_ -= size;
      sent = true;
    }
  }
  return sent;
}

void RawHttp2::WriteFrame(std::uint8_t type,
                          std::uint8_t flags,
                          std::uint32_t stream,
                          std::string_view payload) {
  std::string frame = BigEndian(payload.size(), 3);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  frame += BigEndian(stream, 4);
  frame += payload;
  for (std::string_view left = frame; !left.empty() && !ended_;) {
    const ssize_t written = send(socket_, left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written > 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    pollfd writable{.fd = socket_, .events = POLLOUT, .revents = 0};
    constexpr int kStuckMs = 5'000;
    ended_ = errno != EAGAIN || poll(&writable, 1, kStuckMs) <= 0;
  }
}

// Whether anything came.
bool RawHttp2::ReadSome(std::chrono::milliseconds patience) {
  pollfd readable{.fd = socket_, .events = POLLIN, .revents = 0};
  if (poll(&readable, 1, static_cast<int>(patience.count())) <= 0) {
    return false;
  }
  std::array<char, 65'536> buffer{};
  const ssize_t size = recv(socket_, buffer.data(), buffer.size(), 0);
  if (size <= 0) {
    ended_ = true;
    return false;
  }
  received_.append(buffer.data(), static_cast<std::size_t>(size));
  while (received_.size() >= kFrameHeadBytes) {
    const std::string_view head = received_;
    const std::size_t end = kFrameHeadBytes + FromBigEndian(head.substr(0, 3));
    if (received_.size() < end) {
      break;
    }
    TakeFrame(static_cast<std::uint8_t>(head[3]),
              static_cast<std::uint8_t>(head[4]),
              FromBigEndian(head.substr(5, 4)),
              head.substr(kFrameHeadBytes, end - kFrameHeadBytes));
    received_.erase(0, end);
  }
  return true;
}

void RawHttp2::TakeFrame(std::uint8_t type,
                         std::uint8_t flags,
                         std::uint32_t stream,
                         std::string_view payload) {
  if (type == kSettings && (flags & kAck) == 0) {
    TakeSettings(payload);
    WriteFrame(kSettings, kAck, 0, "");
  } else if (type == kPing && (flags & kAck) == 0) {
    WriteFrame(kPing, kAck, 0, payload);
  } else if (type == kWindowUpdate && stream == 0) {
    window_ += FromBigEndian(payload);
  } else if (type == kWindowUpdate && streams_.count(stream) == 1) {
    streams_[stream].window += FromBigEndian(payload);
  } else if (type == kReset || type == kHeaders) {
    streams_.erase(stream);
  }
}

void RawHttp2::TakeSettings(std::string_view payload) {
  constexpr std::uint32_t kInitialWindow = 4;
  for (; payload.size() >= 6; payload.remove_prefix(6)) {
    if (FromBigEndian(payload.substr(0, 2)) == kInitialWindow) {
      const std::int64_t window = FromBigEndian(payload.substr(2, 4));
      for (auto& [number, stream] : streams_) {
        stream.window += window - stream_window_;
      }
      stream_window_ = window;
    }
  }
}

}  // namespace millrace::integration
