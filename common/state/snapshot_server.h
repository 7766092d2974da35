// SnapshotServer: a running service lends a snapshot of its state to the program that backs it up.

#pragma once

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/state/snapshot.h"
#include "common/storage/descriptor.h"

namespace millrace::state {

/// Listens on the socket `{folder}/snapshot.socket`, which the folder's owner alone may open. Each
/// connection gets a snapshot for as long as it lasts, one after the other.
class SnapshotServer {
 public:
  /// Removes what an earlier process left. What `state` names must outlive the server. UNAVAILABLE
  /// when the folder takes no socket.
  static absl::StatusOr<std::unique_ptr<SnapshotServer>> Start(const OpenState& state);

  /// Takes the snapshot that is lent away.
  ~SnapshotServer();

  SnapshotServer(const SnapshotServer&) = delete;
  SnapshotServer& operator=(const SnapshotServer&) = delete;

 private:
  explicit SnapshotServer(OpenState state) : state_(std::move(state)) {}

  void Serve();
  void Lend(int connection);
  bool WaitFor(int descriptor) const;

  const OpenState state_;
  storage::Descriptor listening_;
  storage::Descriptor stop_;  // an eventfd
  std::thread thread_;
};

/// A snapshot that a running service lends. Not thread-safe.
class LentSnapshot {
 public:
  /// Asks the service whose state is in `folder` and waits until it is made. Null when no service
  /// runs there. Fails as TakeSnapshot(), or with UNAVAILABLE when the service does not answer.
  static absl::StatusOr<std::unique_ptr<LentSnapshot>> Ask(const std::string& folder);

  /// `status`, unless it is an error and the service has taken the snapshot away meanwhile: then
  /// UNAVAILABLE that says so.
  [[nodiscard]] absl::Status Explain(const absl::Status& status) const;

 private:
  explicit LentSnapshot(int connection) : connection_(connection) {}

  [[nodiscard]] absl::Status ReadReply() const;

  storage::Descriptor connection_;
};

}  // namespace millrace::state
