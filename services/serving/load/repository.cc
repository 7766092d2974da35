#include "services/serving/load/repository.h"

#include <chrono>
#include <set>
#include <utility>

#include <google/protobuf/util/time_util.h>

#include "common/model/bundle.h"
#include "common/resource/name.h"
#include "common/status/status.h"

namespace millrace::serving {

namespace {

using storage::DatabaseRow;
using storage::DatabaseValue;
using storage::IntegerOf;
using storage::TextOf;

// `models.next` outlives a model's versions, so that a number never means two things.
const std::vector<std::string>& Migrations() {
  static const std::vector<std::string> migrations = {
      "CREATE TABLE models ("
      "  id TEXT PRIMARY KEY,"
      "  next INTEGER NOT NULL,"
      "  seal INTEGER NOT NULL AS (row_seal(id, next)) STORED) STRICT;"
      "CREATE TABLE versions ("
      "  key INTEGER PRIMARY KEY AUTOINCREMENT,"
      "  model TEXT NOT NULL REFERENCES models(id),"
      "  number INTEGER NOT NULL,"
      "  sha256 TEXT NOT NULL,"
      "  size_bytes INTEGER NOT NULL,"
      "  create_us INTEGER NOT NULL,"
      "  manifest BLOB NOT NULL,"
      "  seal INTEGER NOT NULL AS (row_seal("
      "    key, model, number, sha256, size_bytes, create_us, manifest)) STORED,"
      "  UNIQUE (model, number),"
      "  UNIQUE (model, sha256)) STRICT;"
      "CREATE TABLE shares ("
      "  model TEXT NOT NULL,"
      "  version INTEGER NOT NULL,"
      "  percent INTEGER NOT NULL,"
      "  seal INTEGER NOT NULL AS (row_seal(model, version, percent)) STORED,"
      "  PRIMARY KEY (model, version),"
      "  FOREIGN KEY (model, version) REFERENCES versions(model, number)) STRICT;",
      "CREATE TABLE route_changes ("
      "  sequence INTEGER PRIMARY KEY AUTOINCREMENT,"
      "  model TEXT NOT NULL REFERENCES models(id),"
      "  time_us INTEGER NOT NULL,"
      "  caller TEXT NOT NULL,"
      "  route BLOB NOT NULL,"
      "  seal INTEGER NOT NULL AS (row_seal(sequence, model, time_us, caller, route)) STORED)"
      "  STRICT;"
      "CREATE INDEX route_changes_by_model ON route_changes (model, sequence);"
      "CREATE TRIGGER route_changes_stay BEFORE UPDATE ON route_changes "
      "BEGIN SELECT RAISE(ABORT, 'a route change is never changed'); END;"
      "CREATE TRIGGER route_changes_remain BEFORE DELETE ON route_changes "
      "BEGIN SELECT RAISE(ABORT, 'a route change is never removed'); END;",
      // Models whose newest version gets the traffic because an operator said so.
      "CREATE TABLE followers ("
      "  model TEXT PRIMARY KEY REFERENCES models(id),"
      "  seal INTEGER NOT NULL AS (row_seal(model)) STORED) STRICT;"};
  return migrations;
}

constexpr std::string_view kColumns = "key, model, number, sha256, size_bytes, create_us, manifest";

absl::StatusOr<v1::ModelVersion> FromRow(const DatabaseRow& row) {
  v1::ModelVersion version;
  version.set_name(
      VersionName("models", TextOf(row[1]), static_cast<std::int32_t>(IntegerOf(row[2]))));
  version.set_size_bytes(IntegerOf(row[4]));
  *version.mutable_create_time() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(IntegerOf(row[5]));
  if (!version.mutable_manifest()->ParseFromString(storage::BytesOf(row[6]))) {
    return DataLoss("the catalog's manifest of {} cannot be parsed", version.name());
  }
  model::v1::Lineage& lineage = *version.mutable_manifest()->mutable_lineage();
  lineage.set_model_version(version.name());
  lineage.set_bundle_sha256(TextOf(row[3]));
  model::TellNumerics(version.manifest(), lineage);
  return version;
}

VersionRecord RecordOf(const std::string& model,
                       std::int64_t number,
                       const std::string& sha256,
                       std::int64_t size_bytes) {
  return {.model = model,
          .number = static_cast<std::int32_t>(number),
          .sha256 = sha256,
          .size_bytes = size_bytes};
}

// Inside a transaction.
absl::Status ReplaceShares(const std::string& model,
                           const std::vector<v1::RouteShare>& shares,
                           storage::Database& database) {
  RETURN_IF_ERROR(database.Query("DELETE FROM shares WHERE model = ?", {model}).status());
  for (const v1::RouteShare& share : shares) {
    const DatabaseRow row = {model,
                             static_cast<std::int64_t>(share.version()),
                             static_cast<std::int64_t>(share.percent())};
    RETURN_IF_ERROR(database.Query("INSERT INTO shares VALUES (?, ?, ?)", row).status());
  }
  return absl::OkStatus();
}

// Where the traffic of a model without shares goes.
std::vector<v1::RouteShare> AllTo(std::int32_t version) {
  if (version == 0) {
    return {};
  }
  v1::RouteShare share;
  share.set_version(version);
  share.set_percent(100);
  return {share};
}

absl::StatusOr<v1::RouteChange> ChangeFromRow(const DatabaseRow& row) {
  v1::RouteChange change;
  change.set_sequence(IntegerOf(row[0]));
  *change.mutable_time() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(IntegerOf(row[1]));
  change.set_caller(TextOf(row[2]));
  if (!change.mutable_route()->ParseFromString(storage::BytesOf(row[3]))) {
    return DataLoss("the catalog's route change {} cannot be parsed", change.sequence());
  }
  return change;
}

}  // namespace

const state::StateLayout& Repository::Layout() {
  static const state::StateLayout layout = [] {
    state::StateLayout of;
    of.format = {.service = "serving", .version = 1};
    of.catalog = "models.db";
    of.catalog_version = Migrations().size();
    of.blob_uses =
        "SELECT sha256, 'models/' || model || '/versions/' || number"
        " FROM versions ORDER BY sha256, model, number";
    return of;
  }();
  return layout;
}

absl::StatusOr<std::unique_ptr<Repository>> Repository::Open(storage::FileSystem& files,
                                                             const std::string& folder,
                                                             const Clock& clock) {
  ASSIGN_OR_RETURN(storage::StateFolder state,
                   storage::StateFolder::Open(files, folder, Layout().format));
  std::unique_ptr<Repository> repository(new Repository(clock, std::move(state)));
  ASSIGN_OR_RETURN(repository->blobs_, storage::BlobStore::Open(files, folder + "/blobs"));
  ASSIGN_OR_RETURN(const std::vector<std::string> found, repository->blobs_->List());
  const std::string catalog = folder + "/" + Layout().catalog;
  RETURN_IF_ERROR(found.empty() ? absl::OkStatus() : storage::CheckCatalogIsThere(catalog));
  ASSIGN_OR_RETURN(repository->database_, storage::Database::Open(catalog, Migrations()));
  RETURN_IF_ERROR(repository->RemoveUnusedBlobs());
  return repository;
}

absl::StatusOr<VersionRecord> Repository::Add(const std::string& model,
                                              std::string_view bytes,
                                              const model::v1::BundleManifest& manifest,
                                              const AddOptions& options) {
  const std::lock_guard lock(changing_);
  // The blob first: a version in the catalog always has its bytes. A blob without a version is
  // removed at the next start.
  ASSIGN_OR_RETURN(const std::string sha256, blobs_->Put(bytes));
  VersionRecord record;
  const auto insert = [&]() -> absl::Status {
    const NewVersion version = {.model = model,
                                .sha256 = sha256,
                                .size_bytes = static_cast<std::int64_t>(bytes.size()),
                                .manifest = manifest.SerializeAsString()};
    ASSIGN_OR_RETURN(record, Insert(version, options));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(database_->Transact(insert));
  return record;
}

absl::StatusOr<VersionRecord> Repository::Insert(const NewVersion& version,
                                                 const AddOptions& options) {
  ASSIGN_OR_RETURN(const auto existing,
                   database_->Query("SELECT number FROM versions WHERE model = ? AND sha256 = ?",
                                    {version.model, version.sha256}));
  if (!existing.empty()) {
    return RecordOf(version.model, IntegerOf(existing[0][0]), version.sha256, version.size_bytes);
  }
  ASSIGN_OR_RETURN(const std::int32_t newest_before, Newest(version.model));
  ASSIGN_OR_RETURN(const auto next,
                   database_->Query("INSERT INTO models VALUES (?, 2) ON CONFLICT (id) DO UPDATE "
                                    "SET next = next + 1 RETURNING next - 1",
                                    {version.model}));
  const std::int64_t number = IntegerOf(next[0][0]);
  RETURN_IF_ERROR(database_
                      ->Query("INSERT INTO versions (model, number, sha256, size_bytes, create_us, "
                              "manifest) VALUES (?, ?, ?, ?, ?, ?)",
                              {version.model,
                               number,
                               version.sha256,
                               version.size_bytes,
                               NowMicroseconds(),
                               storage::Blob{version.manifest}})
                      .status());
  const VersionRecord record = RecordOf(version.model, number, version.sha256, version.size_bytes);
  RETURN_IF_ERROR(MoveTraffic(version.model, newest_before, record.number, options));
  return record;
}

// A version was added to a model: its traffic moves, or is held where it is.
absl::Status Repository::MoveTraffic(const std::string& model,
                                     std::int32_t newest_before,
                                     std::int32_t added,
                                     const AddOptions& options) {
  ASSIGN_OR_RETURN(const bool has_shares, HasShares(model));
  if (has_shares) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const bool follows, FollowsNewest(model));
  const bool is_kept = options.traffic == TrafficOfNewVersions::kNone ||
                       (options.traffic == TrafficOfNewVersions::kKept && !follows);
  if (newest_before == 0 || !is_kept) {
    return WriteChange(model, AllTo(added), options.caller);
  }
  RETURN_IF_ERROR(ReplaceShares(model, AllTo(newest_before), *database_));
  return WriteChange(model, AllTo(newest_before), options.caller);
}

absl::StatusOr<bool> Repository::FollowsNewest(const std::string& model) {
  ASSIGN_OR_RETURN(const auto rows,
                   database_->Query("SELECT 1 FROM followers WHERE model = ?", {model}));
  return !rows.empty();
}

std::int64_t Repository::NowMicroseconds() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(clock_.Now().time_since_epoch())
      .count();
}

absl::StatusOr<bool> Repository::HasShares(const std::string& model) {
  ASSIGN_OR_RETURN(const auto rows,
                   database_->Query("SELECT 1 FROM shares WHERE model = ? LIMIT 1", {model}));
  return !rows.empty();
}

absl::StatusOr<std::int32_t> Repository::Newest(const std::string& model) {
  ASSIGN_OR_RETURN(
      const auto rows,
      database_->Query("SELECT COALESCE(MAX(number), 0) FROM versions WHERE model = ?", {model}));
  return static_cast<std::int32_t>(IntegerOf(rows[0][0]));
}

absl::Status Repository::WriteChange(const std::string& model,
                                     const std::vector<v1::RouteShare>& shares,
                                     const std::string& caller) {
  v1::Route route;
  route.set_model(CollectionName("models", model));
  route.mutable_shares()->Assign(shares.begin(), shares.end());
  return database_
      ->Query("INSERT INTO route_changes (model, time_us, caller, route) VALUES (?, ?, ?, ?)",
              {model, NowMicroseconds(), caller, storage::Blob{route.SerializeAsString()}})
      .status();
}

absl::StatusOr<std::string> Repository::Read(const VersionRecord& version) const {
  return blobs_->Get(version.sha256);
}

absl::StatusOr<std::vector<VersionRecord>> Repository::Versions() {
  ASSIGN_OR_RETURN(
      const auto rows,
      database_->Query(
          "SELECT model, number, sha256, size_bytes FROM versions ORDER BY model, number"));
  std::vector<VersionRecord> versions;
  versions.reserve(rows.size());
  for (const DatabaseRow& row : rows) {
    versions.push_back(
        RecordOf(TextOf(row[0]), IntegerOf(row[1]), TextOf(row[2]), IntegerOf(row[3])));
  }
  return versions;
}

absl::StatusOr<std::map<std::string, std::vector<v1::RouteShare>>> Repository::Routes() {
  ASSIGN_OR_RETURN(
      const auto rows,
      database_->Query("SELECT model, version, percent FROM shares ORDER BY model, version"));
  std::map<std::string, std::vector<v1::RouteShare>> routes;
  for (const DatabaseRow& row : rows) {
    v1::RouteShare& share = routes[TextOf(row[0])].emplace_back();
    share.set_version(static_cast<std::int32_t>(IntegerOf(row[1])));
    share.set_percent(static_cast<std::int32_t>(IntegerOf(row[2])));
  }
  return routes;
}

absl::StatusOr<std::vector<v1::RouteShare>> Repository::Shares(const std::string& model) {
  ASSIGN_OR_RETURN(auto routes, Routes());
  return std::move(routes[model]);
}

absl::Status Repository::SetRoute(const std::string& model,
                                  const std::vector<v1::RouteShare>& shares,
                                  const std::string& caller) {
  const char* const follow = shares.empty() ? "INSERT OR IGNORE INTO followers (model) VALUES (?)"
                                            : "DELETE FROM followers WHERE model = ?";
  return database_->Transact([&]() -> absl::Status {
    RETURN_IF_ERROR(ReplaceShares(model, shares, *database_));
    RETURN_IF_ERROR(database_->Query(follow, {model}).status());
    return WriteChange(model, shares, caller);
  });
}

absl::StatusOr<std::vector<v1::RouteChange>> Repository::RouteChanges(const std::string& model,
                                                                      std::int64_t before,
                                                                      std::int32_t count) {
  ASSIGN_OR_RETURN(const auto known,
                   database_->Query("SELECT 1 FROM models WHERE id = ?", {model}));
  if (known.empty()) {
    return NotFound("there never was a model '{}'", model);
  }
  ASSIGN_OR_RETURN(const auto rows,
                   database_->Query("SELECT sequence, time_us, caller, route FROM route_changes "
                                    "WHERE model = ?1 AND (?2 = 0 OR sequence < ?2) "
                                    "ORDER BY sequence DESC LIMIT ?3",
                                    {model, before, static_cast<std::int64_t>(count)}));
  std::vector<v1::RouteChange> changes;
  changes.reserve(rows.size());
  for (const DatabaseRow& row : rows) {
    ASSIGN_OR_RETURN(v1::RouteChange change, ChangeFromRow(row));
    changes.push_back(std::move(change));
  }
  return changes;
}

absl::StatusOr<v1::ModelVersion> Repository::Get(const std::string& model, std::int32_t number) {
  ASSIGN_OR_RETURN(
      const auto rows,
      database_->Query(
          fmt::format("SELECT {} FROM versions WHERE model = ? AND number = ?", kColumns),
          {model, static_cast<std::int64_t>(number)}));
  if (rows.empty()) {
    return NotFound("there is no {}", VersionName("models", model, number));
  }
  return FromRow(rows[0]);
}

absl::StatusOr<std::vector<Repository::Listed>> Repository::List(const std::string& model,
                                                                 std::int64_t before,
                                                                 std::int32_t count) {
  ASSIGN_OR_RETURN(
      const auto rows,
      database_->Query(
          fmt::format(
              "SELECT {} FROM versions WHERE (?1 = '' OR model = ?1) AND (?2 = 0 OR key < ?2) "
              "ORDER BY key DESC LIMIT ?3",
              kColumns),
          {model, before, static_cast<std::int64_t>(count)}));
  std::vector<Listed> listed;
  listed.reserve(rows.size());
  for (const DatabaseRow& row : rows) {
    ASSIGN_OR_RETURN(v1::ModelVersion version, FromRow(row));
    version.mutable_manifest()->clear_schema();
    version.mutable_manifest()->clear_transforms();
    version.mutable_manifest()->clear_train_statistics();
    listed.push_back({.key = IntegerOf(row[0]), .version = std::move(version)});
  }
  return listed;
}

absl::Status Repository::CheckUnrouted(const std::string& model, std::int32_t number) {
  ASSIGN_OR_RETURN(const auto shares,
                   database_->Query("SELECT percent FROM shares WHERE model = ? AND version = ?",
                                    {model, static_cast<std::int64_t>(number)}));
  ASSIGN_OR_RETURN(
      const auto others,
      database_->Query("SELECT 1 FROM versions WHERE model = ? AND number <> ? LIMIT 1",
                       {model, static_cast<std::int64_t>(number)}));
  if (shares.empty() || others.empty()) {
    return absl::OkStatus();
  }
  return WithFix(FailedPrecondition("{} gets {} percent of its model's traffic",
                                    VersionName("models", model, number),
                                    IntegerOf(shares[0][0])),
                 "set a route without this version first");
}

absl::Status Repository::RemoveVersion(const std::string& model, std::int32_t number) {
  const DatabaseRow which = {model, static_cast<std::int64_t>(number)};
  RETURN_IF_ERROR(
      database_->Query("DELETE FROM shares WHERE model = ? AND version = ?", which).status());
  return database_->Query("DELETE FROM versions WHERE model = ? AND number = ?", which).status();
}

absl::Status Repository::Delete(const std::string& model,
                                std::int32_t number,
                                const std::string& caller) {
  const std::lock_guard lock(changing_);
  RETURN_IF_ERROR(Get(model, number).status());
  const auto remove = [&]() -> absl::Status {
    RETURN_IF_ERROR(CheckUnrouted(model, number));
    RETURN_IF_ERROR(RemoveVersion(model, number));
    ASSIGN_OR_RETURN(const bool has_shares, HasShares(model));
    ASSIGN_OR_RETURN(const std::int32_t newest, Newest(model));
    return has_shares || newest > number ? absl::OkStatus()
                                         : WriteChange(model, AllTo(newest), caller);
  };
  RETURN_IF_ERROR(database_->TransactToRemove(remove));
  return RemoveUnusedBlobs();
}

absl::Status Repository::RemoveUnusedBlobs() {
  ASSIGN_OR_RETURN(const std::vector<VersionRecord> versions, Versions());
  std::set<std::string> used;
  for (const VersionRecord& version : versions) {
    used.insert(version.sha256);
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> stored, blobs_->List());
  for (const std::string& sha256 : stored) {
    RETURN_IF_ERROR(used.contains(sha256) ? absl::OkStatus() : blobs_->Remove(sha256));
  }
  return absl::OkStatus();
}

}  // namespace millrace::serving
