// Repository: the bundles that were accepted, durable, and the catalog of them.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "common/clock/clock.h"
#include "common/state/state.h"
#include "common/storage/blob_store.h"
#include "common/storage/database.h"
#include "common/storage/file_system.h"
#include "common/storage/state_folder.h"

namespace millrace::serving {

/// One accepted bundle.
struct VersionRecord {
  std::string model;
  std::int32_t number = 0;
  std::string sha256;           // of the bundle, 64 hexadecimal digits
  std::int64_t size_bytes = 0;  // of the bundle
};

/// What a new version does to the traffic of a model without shares that has other versions.
enum class TrafficOfNewVersions {
  kNewest,  // it takes all of it
  kKept,    // it leaves it where it is, unless an operator said that the newest gets it
  kNone,    // it leaves it where it is
};

/// Models, their versions and their routes under one folder: `models.db`, `blobs/` and `uploads/`.
/// What a call acknowledged is on the medium. Thread-safe; calls wait for the disk.
///
/// A route's history is written in the transaction of the change that it tells of, and never
/// changed or removed, not even with its model. It has an entry for every SetRoute(), with the
/// shares as they were set, and one for every move of the traffic that nobody set: a model without
/// shares has all its traffic at its newest version, so a new version takes it and the deletion of
/// the newest gives it back to the one before. Such an entry has that version at 100 percent, or no
/// share when no version is left. A new version that leaves the traffic where it is gives the model
/// the share that serves, which is an entry too. `caller` is who asked for the change.
class Repository {
 public:
  /// What is in the folder, to verify and to copy it.
  static const state::StateLayout& Layout();

  /// Takes the folder's lock; removes what an interrupted upload or deletion left. DATA_LOSS when
  /// there are blobs and no catalog.
  static absl::StatusOr<std::unique_ptr<Repository>> Open(storage::FileSystem& files,
                                                          const std::string& folder,
                                                          const Clock& clock);

  /// Stores a verified bundle as the model's next version. The same bytes again return the version
  /// that they already are. Numbers count from 1 and are never used again. `caller` and `traffic`
  /// are for the route.
  struct AddOptions {
    std::string caller = {};
    TrafficOfNewVersions traffic = TrafficOfNewVersions::kNewest;
  };

  absl::StatusOr<VersionRecord> Add(const std::string& model,
                                    std::string_view bytes,
                                    const model::v1::BundleManifest& manifest,
                                    const AddOptions& options);

  /// The bytes of a bundle; DATA_LOSS when they are damaged, NOT_FOUND when they are gone.
  [[nodiscard]] absl::StatusOr<std::string> Read(const VersionRecord& version) const;

  /// All versions, by model and number.
  absl::StatusOr<std::vector<VersionRecord>> Versions();

  /// The shares that routes name, by model; models without are absent.
  absl::StatusOr<std::map<std::string, std::vector<v1::RouteShare>>> Routes();

  /// Those of one model.
  absl::StatusOr<std::vector<v1::RouteShare>> Shares(const std::string& model);

  /// Replaces a model's shares; without any, new versions take its traffic from then on. Requires:
  /// all versions exist.
  absl::Status SetRoute(const std::string& model,
                        const std::vector<v1::RouteShare>& shares,
                        const std::string& caller);

  /// Up to `count` entries of a model's history that are older than `before` (a sequence; 0: from
  /// the newest), newest first. NOT_FOUND when there never was such a model.
  absl::StatusOr<std::vector<v1::RouteChange>> RouteChanges(const std::string& model,
                                                            std::int64_t before,
                                                            std::int32_t count);

  /// One version without its traffic; NOT_FOUND.
  absl::StatusOr<v1::ModelVersion> Get(const std::string& model, std::int32_t number);

  /// Up to `count` versions that are older than the one of `before` (0: from the newest), with
  /// their keys for the next call; of all models or of one. Manifests without schema, transforms
  /// and statistics.
  struct Listed {
    std::int64_t key = 0;
    v1::ModelVersion version;
  };

  absl::StatusOr<std::vector<Listed>> List(const std::string& model,
                                           std::int64_t before,
                                           std::int32_t count);

  /// Removes a version: NOT_FOUND, or FAILED_PRECONDITION while the model's route names it and
  /// another version could be named instead.
  absl::Status Delete(const std::string& model, std::int32_t number, const std::string& caller);

  /// For snapshots of the state while it changes (common/state/snapshot.h).
  [[nodiscard]] storage::Database& catalog() { return *database_; }

 private:
  Repository(const Clock& clock, storage::StateFolder state)
      : clock_(clock),
        state_(std::move(state)) {}

  // A new row of `versions`, without its number.
  struct NewVersion {
    std::string model;
    std::string sha256;
    std::int64_t size_bytes = 0;
    std::string manifest;
  };

  // Those below are called inside a transaction.
  absl::StatusOr<VersionRecord> Insert(const NewVersion& version, const AddOptions& options);
  absl::Status MoveTraffic(const std::string& model,
                           std::int32_t newest_before,
                           std::int32_t added,
                           const AddOptions& options);
  absl::StatusOr<bool> FollowsNewest(const std::string& model);
  absl::Status CheckUnrouted(const std::string& model, std::int32_t number);
  absl::Status RemoveVersion(const std::string& model, std::int32_t number);
  absl::StatusOr<bool> HasShares(const std::string& model);
  absl::StatusOr<std::int32_t> Newest(const std::string& model);  // 0: there is none
  absl::Status WriteChange(const std::string& model,
                           const std::vector<v1::RouteShare>& shares,
                           const std::string& caller);

  [[nodiscard]] std::int64_t NowMicroseconds() const;
  absl::Status RemoveUnusedBlobs();

  const Clock& clock_;
  storage::StateFolder state_;
  std::mutex changing_;  // held while blobs and catalog do not agree
  std::unique_ptr<storage::BlobStore> blobs_;
  std::unique_ptr<storage::Database> database_;
};

}  // namespace millrace::serving
