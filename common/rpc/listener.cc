#include "common/rpc/listener.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <absl/strings/numbers.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/rpc/address.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/rate_limit.h"

namespace millrace::rpc {

namespace {

constexpr int kBacklog = 4'096;
constexpr int kFreePortTries = 10;
constexpr std::int64_t kOtherDescriptors = 256;
constexpr int kNoDescriptorMs = 20;
constexpr std::size_t kLookedAtOftenMax = 256;
constexpr std::chrono::milliseconds kLookInterval{10};
constexpr int kUnacknowledgedMsMax = 20'000;  // as gRPC's own listener: sent and never confirmed

// Where to listen.
struct Place {
  sockaddr_storage address{};
  socklen_t bytes = 0;
  bool whole = false;  // the other places are in it
};

void SetPort(Place& place, int port) {
  // sin_port and sin6_port are at the same place.
  reinterpret_cast<sockaddr_in*>(&place.address)->sin_port =
      htons(static_cast<std::uint16_t>(port));
}

Place Everywhere() {
  Place place;
  place.bytes = sizeof(sockaddr_in6);
  place.whole = true;
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&place.address);
  v6->sin6_family = AF_INET6;
  v6->sin6_addr = in6addr_any;
  return place;
}

absl::StatusOr<std::vector<Place>> PlacesOf(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_flags = AI_PASSIVE;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &wanted, &found); error != 0) {
    return Unavailable("the host {} is not known: {}", host, gai_strerror(error));
  }
  std::vector<Place> places;
  if (host == "0.0.0.0" || host == "::") {
    places.push_back(Everywhere());  // first: where there is IPv6, it takes IPv4 as well
  }
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    Place place;
    place.bytes = entry->ai_addrlen;
    std::memcpy(&place.address, entry->ai_addr, entry->ai_addrlen);
    places.push_back(place);
  }
  freeaddrinfo(found);
  return places;
}

// A socket that listens there; errno and -1 when there can be none.
int ListenAt(const Place& place) {
  const int descriptor =
      socket(place.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) {
    return -1;
  }
  const int on = 1;
  const int off = 0;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (place.address.ss_family == AF_INET6) {
    setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (bind(descriptor, reinterpret_cast<const sockaddr*>(&place.address), place.bytes) != 0 ||
      listen(descriptor, kBacklog) != 0) {
    const int error = errno;
    close(descriptor);
    errno = error;
    return -1;
  }
  return descriptor;
}

int PortOf(int descriptor) {
  sockaddr_in6 address{};
  socklen_t bytes = sizeof address;
  return getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &bytes) == 0
             ? ntohs(address.sin6_port)
             : 0;
}

// 0, or the error. Port 0 becomes the one that the first place got. A place that this machine does
// not have, such as IPv6, is passed over when there is another.
int ListenAtAll(std::vector<Place>& places, int& port, std::vector<int>& listening) {
  int error = 0;
  for (Place& place : places) {
    SetPort(place, port);
    const int descriptor = ListenAt(place);
    if (descriptor >= 0) {
      listening.push_back(descriptor);
      port = PortOf(descriptor);
      if (place.whole) {
        return 0;
      }
      continue;
    }
    error = errno;
    if (error == EADDRINUSE || error == EACCES) {
      std::for_each(listening.begin(), listening.end(), close);
      listening.clear();
      return error;
    }
  }
  return listening.empty() ? error : 0;
}

// What is counted as one: an IPv4 address, or the network of an IPv6 one.
std::string PeerText(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto* const v4 = reinterpret_cast<const sockaddr_in*>(&address);
    inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    return text.data();
  }
  in6_addr v6 = reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    inet_ntop(AF_INET, &v6.s6_addr[12], text.data(), text.size());
    return text.data();
  }
  std::fill(v6.s6_addr + 8, v6.s6_addr + 16, std::uint8_t{0});
  inet_ntop(AF_INET6, &v6, text.data(), text.size());
  return std::string(text.data()) + "/64";
}

// The inode of a socket, by which its descriptor is known again; 0 when there is none.
ino_t InodeOf(int descriptor) {
  struct stat status {};

  return fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

void Tune(int descriptor) {
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(descriptor,
             IPPROTO_TCP,
             TCP_USER_TIMEOUT,
             &kUnacknowledgedMsMax,
             sizeof kUnacknowledgedMsMax);
}

void TellRefused(const std::string& peer) {
  static log::RateLimit lines(1);
  if (const auto answer = lines.Ask(std::chrono::steady_clock::now()); answer.admitted) {
    log::Warning("connection_refused",
                 {{"peer", peer}, {"others", std::to_string(answer.dropped)}});
  }
}

}  // namespace

ConnectionLimits FittingDescriptors(ConnectionLimits limits) {
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0 ||
      descriptors.rlim_cur > static_cast<rlim_t>(limits.all + kOtherDescriptors)) {
    return limits;
  }
  const auto allowed = static_cast<std::int64_t>(descriptors.rlim_cur);
  const std::int64_t all = std::max<std::int64_t>(
      1, std::min(limits.all, allowed - std::min(kOtherDescriptors, allowed / 2)));
  return {.all = all,
          .of_address = std::min(limits.of_address, std::max<std::int64_t>(1, all / 2))};
}

Listener::Listener(ConnectionLimits limits, PeerSlots& slots)
    : limits_(limits),
      slots_(slots),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      spare_(open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(const std::string& address,
                                                         ConnectionLimits limits,
                                                         PeerSlots& slots) {
  auto listener = std::unique_ptr<Listener>(new Listener(limits, slots));
  if (const absl::Status bound = listener->Bind(address); !bound.ok()) {
    return WithFix(Annotate(bound, fmt::format("cannot listen on {}", address)),
                   "another program may hold the port: choose a free one, or 0 for any");
  }
  return listener;
}

absl::Status Listener::Bind(const std::string& address) {
  if (stop_ < 0 || spare_ < 0) {
    return Unavailable("there is no descriptor left: {}", std::strerror(errno));
  }
  const std::string text = address.substr(address.rfind(':') + 1);
  int port = 0;
  if (!absl::SimpleAtoi(text, &port) || port > 65'535) {
    return Unavailable("a port is at most 65535, found {}", text);
  }
  ASSIGN_OR_RETURN(std::vector<Place> places, PlacesOf(HostOf(address)));
  // A free port of one address may be taken on the next.
  const int tries = port == 0 ? kFreePortTries : 1;
  int error = EADDRINUSE;
  for (int i = 0; i < tries && error == EADDRINUSE; ++i) {
    port_ = port;
    error = ListenAtAll(places, port_, listening_);
  }
  return error == 0 ? absl::OkStatus() : Unavailable("{}", std::strerror(error));
}

Listener::~Listener() {
  Stop();
  close(stop_);
  close(spare_);
}

void Listener::Start(Take take) {
  take_ = std::move(take);
  thread_ = std::thread([this] { Serve(); });
}

void Listener::Stop() {
  std::call_once(stopped_, [this] {
    eventfd_write(stop_, 1);
    if (thread_.joinable()) {
      thread_.join();
    }
    for (const int descriptor : listening_) {
      close(descriptor);
    }
  });
}

void Listener::Serve() {
  std::vector<pollfd> waiting = {{.fd = stop_, .events = POLLIN, .revents = 0}};
  for (const int descriptor : listening_) {
    waiting.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
  }
  while (true) {
    poll(waiting.data(), waiting.size(), -1);
    if ((waiting[0].revents & POLLIN) != 0) {
      return;
    }
    for (std::size_t i = 1; i < waiting.size(); ++i) {
      if (waiting[i].revents != 0) {
        AcceptOne(waiting[i].fd);
      }
    }
  }
}

void Listener::AcceptOne(int listening) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof address;
  const int descriptor = accept4(
      listening, reinterpret_cast<sockaddr*>(&address), &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      WaitForDescriptors(listening);
    }
    return;  // else it was gone already
  }
  Connection connection = {
      .descriptor = descriptor, .inode = InodeOf(descriptor), .peer = PeerText(address)};
  if (!HasRoom(connection.peer)) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    TellRefused(connection.peer);
    close(descriptor);
    return;
  }
  connection.slot = slots_.Take(connection.peer);
  if (connection.slot == 0 && slots_.count() > 1) {
    ForgetEnded();
    connection.slot = slots_.Take(connection.peer);
  }
  ++by_peer_[connection.peer];
  connections_.push_back(connection);
  Tune(descriptor);
  take_(descriptor, connection.slot);
}

// Closes the connection that waits, with the descriptor that is kept for this: else the client
// would wait, and this thread be asked again at once.
void Listener::WaitForDescriptors(int listening) {
  refused_.fetch_add(1, std::memory_order_relaxed);
  TellRefused("any: the process has no descriptor left");
  close(spare_);
  if (const int descriptor = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC); descriptor >= 0) {
    close(descriptor);
  }
  spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  pollfd stop = {.fd = stop_, .events = POLLIN, .revents = 0};
  poll(&stop, 1, kNoDescriptorMs);
}

bool Listener::IsFull(const std::string& peer) const {
  const auto of_peer = by_peer_.find(peer);
  return static_cast<std::int64_t>(connections_.size()) >= limits_.all ||
         (of_peer != by_peer_.end() && of_peer->second >= limits_.of_address);
}

bool Listener::HasRoom(const std::string& peer) {
  if (!IsFull(peer)) {
    return true;
  }
  ForgetEnded();
  return !IsFull(peer);
}

void Listener::ForgetEnded() {
  // A flood of connections is not to become as many looks at thousands.
  const auto now = std::chrono::steady_clock::now();
  if (connections_.size() > kLookedAtOftenMax && now - looked_ < kLookInterval) {
    return;
  }
  looked_ = now;
  const auto ended =
      std::partition(connections_.begin(), connections_.end(), [](const Connection& connection) {
        return InodeOf(connection.descriptor) == connection.inode;
      });
  for (auto connection = ended; connection != connections_.end(); ++connection) {
    slots_.GiveBack(connection->slot);
    if (--by_peer_[connection->peer] == 0) {
      by_peer_.erase(connection->peer);
    }
  }
  connections_.erase(ended, connections_.end());
}

}  // namespace millrace::rpc
