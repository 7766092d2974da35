#include "common/state/snapshot_server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/status/status.h"
#include "common/storage/posix_error.h"

namespace millrace::state {

namespace {

using storage::Descriptor;
using storage::PosixError;

constexpr std::string_view kName = "snapshot.socket";
constexpr std::size_t kReplyBytesMax = 4'096;
constexpr timeval kAnswerMax{.tv_sec = 120, .tv_usec = 0};
constexpr int kRetryMilliseconds = 1'000;

// The socket's address by way of the open folder: a path of its own may be too long for one.
sockaddr_un AddressIn(const Descriptor& folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", folder.get(), kName);
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));
  return address;
}

const sockaddr* Untyped(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);  // NOLINT(*-reinterpret-cast): as bind wants
}

int OpenFolder(const std::string& folder) {
  return open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
}

// "0", or the code, the message and the fix, a line each.
std::string ReplyOf(const absl::Status& status) {
  std::string reply = fmt::format("{}\n{}\n{}", status.raw_code(), Message(status), Fix(status));
  reply.resize(std::min(reply.size(), kReplyBytesMax - 1));
  return reply + '\0';
}

absl::Status StatusOf(const std::string& reply) {
  int code = static_cast<int>(absl::StatusCode::kUnknown);
  std::from_chars(reply.data(), reply.data() + reply.size(), code);
  const std::size_t message = std::min(reply.find('\n'), reply.size() - 1) + 1;
  const std::size_t fix = std::min(reply.find('\n', message), reply.size());
  const absl::Status status(static_cast<absl::StatusCode>(code),
                            reply.substr(message, fix - message));
  return fix + 1 < reply.size() ? WithFix(status, reply.substr(fix + 1)) : status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SnapshotServer>> SnapshotServer::Start(const OpenState& state) {
  RemoveSnapshot(state.folder);
  auto server = std::unique_ptr<SnapshotServer>(new SnapshotServer(state));
  const std::string path = fmt::format("{}/{}", state.folder, kName);
  unlink(path.c_str());
  const Descriptor folder(OpenFolder(state.folder));
  server->listening_.Reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  server->stop_.Reset(eventfd(0, EFD_CLOEXEC));
  const sockaddr_un address = AddressIn(folder);
  const int listening = server->listening_.get();
  if (folder.get() < 0 || server->stop_.get() < 0 || listening < 0 ||
      bind(listening, Untyped(address), sizeof(address)) != 0 ||
      chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 || listen(listening, SOMAXCONN) != 0) {
    return PosixError("listen on", path, errno);
  }
  server->thread_ = std::thread([raw = server.get()] { raw->Serve(); });
  return server;
}

SnapshotServer::~SnapshotServer() {
  if (thread_.joinable()) {
    eventfd_write(stop_.get(), 1);
    thread_.join();
    unlink(fmt::format("{}/{}", state_.folder, kName).c_str());
  }
}

// Whether there is something to read or to accept; false once it is time to stop.
bool SnapshotServer::WaitFor(int descriptor) const {
  std::array<pollfd, 2> waited = {pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = descriptor, .events = POLLIN, .revents = 0}};
  while (poll(waited.data(), waited.size(), -1) < 0 && errno == EINTR) {
  }
  return waited[0].revents == 0;
}

void SnapshotServer::Serve() {
  while (WaitFor(listening_.get())) {
    const Descriptor connection(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection.get() < 0) {  // no descriptor is free: the caller waits
      pollfd stop{.fd = stop_.get(), .events = POLLIN, .revents = 0};
      poll(&stop, 1, kRetryMilliseconds);
      continue;
    }
    Lend(connection.get());
  }
}

void SnapshotServer::Lend(int connection) {
  const absl::Status taken = TakeSnapshot(state_);
  if (!taken.ok()) {
    RemoveSnapshot(state_.folder);
  }
  const std::string reply = ReplyOf(taken);
  if (send(connection, reply.data(), reply.size(), MSG_NOSIGNAL) > 0) {
    WaitFor(connection);  // it sends nothing: what can be read is its end
  }
  RemoveSnapshot(state_.folder);
}

absl::StatusOr<std::unique_ptr<LentSnapshot>> LentSnapshot::Ask(const std::string& folder) {
  const Descriptor opened(OpenFolder(folder));
  auto lent = std::unique_ptr<LentSnapshot>(
      new LentSnapshot(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  const sockaddr_un address = AddressIn(opened);
  const int connection = lent->connection_.get();
  if (opened.get() < 0 || connection < 0 ||
      connect(connection, Untyped(address), sizeof(address)) != 0) {
    const bool nobody = errno == ENOENT || errno == ECONNREFUSED;
    if (nobody) {
      return nullptr;
    }
    return PosixError("connect to", fmt::format("{}/{}", folder, kName), errno);
  }
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kAnswerMax, sizeof(kAnswerMax));
  RETURN_IF_ERROR(lent->ReadReply());
  return lent;
}

absl::Status LentSnapshot::ReadReply() const {
  std::string reply;
  std::array<char, kReplyBytesMax> bytes{};
  while (reply.empty() || reply.back() != '\0') {
    const ssize_t count = recv(connection_.get(), bytes.data(), bytes.size(), 0);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return WithFix(Unavailable("the service runs and lends no snapshot of its state"),
                     "another backup may be under way: try again when it has ended");
    }
    reply.append(bytes.data(), static_cast<std::size_t>(count));
  }
  reply.pop_back();
  return StatusOf(reply);
}

absl::Status LentSnapshot::Explain(const absl::Status& status) const {
  char byte = 0;
  const bool taken_away = recv(connection_.get(), &byte, 1, MSG_DONTWAIT) == 0;
  return status.ok() || !taken_away
             ? status
             : WithFix(Unavailable("the service stopped while its state was read"), "try again");
}

}  // namespace millrace::state
