// DatasetStore: immutable dataset versions on disk.

#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/data/v1/stored_version.pb.h"

#include "common/clock/clock.h"
#include "common/features/column_segments.h"
#include "common/features/row_groups.h"
#include "common/features/table.h"
#include "common/resource/name.h"
#include "common/state/state.h"
#include "common/storage/blob_store.h"
#include "common/storage/database.h"
#include "common/storage/file_system.h"
#include "common/storage/state_folder.h"
#include "services/data/store/column_writer.h"

namespace millrace::data {

/// What becomes a version.
struct NewVersion {
  std::int32_t pipeline_version = 0;  // see Manifest
  std::unique_ptr<const features::RowGroups> rows;
  features::RowMarks marks;  // the split of each row; those that are dropped are not stored

  /// sources, options, schema, transforms and effects; the rest is filled from the marks.
  v1::DatasetVersion description;

  v1::GetStatisticsResponse statistics;

  int threads = 1;  // that write; they change nothing
};

/// What a reader of examples needs of a version.
struct VersionContent {
  features::Table table;  // without the columns that were set aside
  features::RowMarks marks;
  schema::v1::TransformSet transforms;
};

/// A folder of versions: a segmented blob a column, a blob for the splits, one for the manifest,
/// one for what is told of it, and a catalog that names them. Blobs are durable before the catalog
/// names them; deleting forgets the row first and then removes blobs that no version uses. So a
/// version is there whole or not at all, and what an interruption left is removed at Open().
///
/// Takes names as ParseVersionedName() gives them; neither number nor digest means the newest
/// version. Unknown ones are NOT_FOUND. Numbers count from 1 for each dataset and are never given
/// twice. Thread-safe; Put() and Delete() take turns.
class DatasetStore {
 public:
  /// What is in the folder, to verify and to copy it.
  static const state::StateLayout& Layout();

  /// Takes the folder for this process alone. DATA_LOSS when there are blobs and no catalog. Does
  /// not own `files` and `clock`.
  static absl::StatusOr<std::unique_ptr<DatasetStore>> Open(storage::FileSystem& files,
                                                            const std::string& folder,
                                                            const Clock& clock);

  /// Stores a version of `dataset`, or returns the one that has the same digest. On failure nothing
  /// is there. Takes memory for a segment and a group a thread. CANCELLED when `stop` was asked
  /// for.
  absl::StatusOr<v1::DatasetVersion> Put(const std::string& dataset,
                                         const NewVersion& version,
                                         const std::stop_token& stop = {});

  absl::StatusOr<v1::DatasetVersion> Get(const VersionedName& name);

  /// The version's digest.
  absl::StatusOr<std::string> Resolve(const VersionedName& name);

  absl::StatusOr<v1::GetStatisticsResponse> Statistics(const VersionedName& name);

  /// Versions without schema and transforms, newest first; `dataset` empty means all. The page ends
  /// early where it would have more than 1 MiB. INVALID_ARGUMENT for a token that List() never
  /// gave.
  absl::StatusOr<v1::ListDatasetsResponse> List(const std::string& dataset,
                                                std::int32_t page_size,
                                                const std::string& page_token);

  /// Deletes the version, or all of the dataset when neither number nor digest is given; returns
  /// how many.
  absl::StatusOr<std::int32_t> Delete(const VersionedName& name);

  /// Reads and verifies a version's content. DATA_LOSS when the disk damaged it.
  absl::StatusOr<VersionContent> Load(const VersionedName& name);

  /// The same to be read segment by segment. What it gives lives as long as the store; a segment of
  /// a version that was deleted meanwhile is NOT_FOUND.
  absl::StatusOr<std::unique_ptr<const features::ColumnSegments>> OpenRows(
      const VersionedName& name);

  /// For snapshots of the state while it changes (common/state/snapshot.h).
  [[nodiscard]] storage::Database& catalog() { return *database_; }

 private:
  friend class StoredRows;

  // A row of the catalog.
  struct Row {
    std::string dataset;
    std::int64_t number = 0;
    std::string sha256;
    std::string details_sha256;
    std::int64_t create_time_us = 0;
  };

  // Digests of all blobs of a version, and of its two roots.
  struct Blobs {
    std::string manifest;
    std::string details;
    std::set<std::string> all;
  };

  DatasetStore(storage::StateFolder state,
               std::unique_ptr<storage::BlobStore> blobs,
               std::unique_ptr<storage::Database> database,
               const Clock& clock)
      : state_(std::move(state)),
        blobs_(std::move(blobs)),
        database_(std::move(database)),
        clock_(clock) {}

  absl::Status PutBlobs(const NewVersion& version,
                        const std::stop_token& stop,
                        v1::StoredVersion& details,
                        Blobs& blobs);
  absl::Status PutColumns(const NewVersion& version,
                          const std::stop_token& stop,
                          std::vector<WrittenColumn>& columns);
  absl::StatusOr<Row> PutRow(const std::string& dataset,
                             const Blobs& blobs,
                             const v1::DatasetVersion& summary);
  absl::StatusOr<Row> Find(const VersionedName& name);
  absl::StatusOr<std::string> ReadBlob(const Row& row, const std::string& sha256);
  absl::StatusOr<storage::SegmentedBlob> OpenColumn(const Row& row,
                                                    const std::string& sha256,
                                                    std::size_t segment);
  absl::StatusOr<std::vector<std::int64_t>> SegmentBytes(const Row& row,
                                                         const std::string& sha256,
                                                         std::size_t segments);
  absl::StatusOr<features::ColumnCells> ReadSegment(const Row& row,
                                                    const std::string& sha256,
                                                    std::size_t segment);
  absl::Status Missing(const Row& row, const std::string& sha256);
  absl::StatusOr<v1::StoredVersion> Details(const Row& row);
  absl::StatusOr<v1::DatasetVersion> Describe(const Row& row);
  absl::Status RemoveUnused(const std::set<std::string>& candidates);
  static Row RowOf(const storage::DatabaseRow& values);
  static void Name(const Row& row, v1::DatasetVersion& version);

  storage::StateFolder state_;
  std::unique_ptr<storage::BlobStore> blobs_;
  std::unique_ptr<storage::Database> database_;
  const Clock& clock_;
  std::mutex changing_;  // held while blobs are put or removed
};

}  // namespace millrace::data
