#include "services/data/store/dataset_store.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <span>
#include <utility>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "common/resource/page.h"
#include "common/status/check.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "services/data/store/column_codec.h"
#include "services/data/store/splits_codec.h"

namespace millrace::data {

namespace {

using storage::Blob;
using storage::DatabaseRow;
using storage::IntegerOf;
using storage::TextOf;

// `place` orders versions by the time they were made. A dataset's row stays when its versions go,
// so that no number is given twice.
const std::vector<std::string>& Migrations() {
  static const std::vector<std::string> migrations = {
      "CREATE TABLE dataset ("
      "  id TEXT PRIMARY KEY,"
      "  last_number INTEGER NOT NULL,"
      "  seal INTEGER NOT NULL AS (row_seal(id, last_number)) STORED) STRICT;"
      "CREATE TABLE version ("
      "  place INTEGER PRIMARY KEY AUTOINCREMENT,"
      "  dataset TEXT NOT NULL REFERENCES dataset (id),"
      "  number INTEGER NOT NULL,"
      "  sha256 TEXT NOT NULL,"
      "  details_sha256 TEXT NOT NULL,"
      "  create_time_us INTEGER NOT NULL,"
      "  summary BLOB NOT NULL,"
      "  seal INTEGER NOT NULL AS (row_seal("
      "    place, dataset, number, sha256, details_sha256, create_time_us, summary)) STORED,"
      "  UNIQUE (dataset, number),"
      "  UNIQUE (dataset, sha256)) STRICT;"
      "CREATE TABLE blob_use ("
      "  sha256 TEXT NOT NULL,"
      "  place INTEGER NOT NULL REFERENCES version (place) ON DELETE CASCADE,"
      "  seal INTEGER NOT NULL AS (row_seal(sha256, place)) STORED,"
      "  PRIMARY KEY (sha256, place)) STRICT, WITHOUT ROWID;"
      "CREATE INDEX blob_use_place ON blob_use (place);"};
  return migrations;
}

// The same message gives the same bytes in every process: a digest is made of them.
std::string Serialize(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    CHECK(message.SerializeToCodedStream(&coded));
  }
  return bytes;
}

v1::StoredVersion DetailsOf(const NewVersion& version) {
  v1::StoredVersion details;
  v1::DatasetVersion& description = *details.mutable_description();
  description = version.description;
  description.clear_name();
  description.clear_sha256();
  description.clear_create_time();
  const auto rows_of = [&](schema::v1::Split split) {
    return std::count(version.marks.begin(), version.marks.end(), static_cast<std::uint8_t>(split));
  };
  description.set_train_count(rows_of(schema::v1::SPLIT_TRAIN));
  description.set_validation_count(rows_of(schema::v1::SPLIT_VALIDATION));
  description.set_test_count(rows_of(schema::v1::SPLIT_TEST));
  description.set_row_count(description.train_count() + description.validation_count() +
                            description.test_count());
  *details.mutable_statistics() = version.statistics;
  return details;
}

v1::Manifest ManifestOf(const NewVersion& version) {
  v1::Manifest manifest;
  manifest.set_pipeline_version(version.pipeline_version);
  for (const auto& source : version.description.sources()) {
    v1::ManifestSource& entry = *manifest.add_sources();
    entry.set_sha256(source.sha256());
    entry.set_size_bytes(source.size_bytes());
  }
  *manifest.mutable_options() = version.description.options();
  return manifest;
}

std::string ShownName(const VersionedName& name) {
  if (!name.sha256.empty()) {
    return fmt::format("datasets/{}/versions/sha256:{}", name.id, name.sha256);
  }
  return name.version != 0 ? VersionName("datasets", name.id, name.version)
                           : CollectionName("datasets", name.id);
}

absl::Status UnknownVersion(const VersionedName& name) {
  return WithFix(NotFound("there is no {}", ShownName(name)),
                 "`millrace dataset ls` lists what there is");
}

absl::StatusOr<std::int64_t> PlaceOf(const std::string& token) {
  std::int64_t place = 0;
  const char* const end = token.data() + token.size();
  const auto result = std::from_chars(token.data(), end, place);
  if (result.ec != std::errc() || result.ptr != end || place < 1) {
    return InvalidArgument("page_token must be one that ListDatasets gave");
  }
  return place;
}

// Inside a transaction.
absl::Status PutUses(const std::set<std::string>& blobs,
                     const storage::DatabaseValue& place,
                     storage::Database& database) {
  for (const std::string& sha256 : blobs) {
    RETURN_IF_ERROR(
        database.Query("INSERT INTO blob_use (sha256, place) VALUES (?, ?)", {sha256, place})
            .status());
  }
  return absl::OkStatus();
}

template <typename Message>
absl::StatusOr<Message> Parse(const std::string& bytes, std::string_view what) {
  Message message;
  if (!message.ParseFromString(bytes)) {
    return DataLoss("{} cannot be read", what);
  }
  return message;
}

}  // namespace

const state::StateLayout& DatasetStore::Layout() {
  static const state::StateLayout layout = [] {
    state::StateLayout of;
    of.format = {.service = "data", .version = 2};  // 2: columns of decimals
    of.catalog = "catalog.db";
    of.catalog_version = Migrations().size();
    of.blob_uses =
        "SELECT blob_use.sha256, 'datasets/' || dataset || '/versions/' || number"
        " FROM blob_use JOIN version USING (place)"
        " ORDER BY blob_use.sha256, dataset, number";
    return of;
  }();
  return layout;
}

absl::StatusOr<std::unique_ptr<DatasetStore>> DatasetStore::Open(storage::FileSystem& files,
                                                                 const std::string& folder,
                                                                 const Clock& clock) {
  ASSIGN_OR_RETURN(storage::StateFolder state,
                   storage::StateFolder::Open(files, folder, Layout().format));
  ASSIGN_OR_RETURN(auto blobs, storage::BlobStore::Open(files, folder + "/blobs"));
  ASSIGN_OR_RETURN(const std::vector<std::string> found, blobs->List());
  const std::string catalog = folder + "/" + Layout().catalog;
  RETURN_IF_ERROR(found.empty() ? absl::OkStatus() : storage::CheckCatalogIsThere(catalog));
  ASSIGN_OR_RETURN(auto database, storage::Database::Open(catalog, Migrations()));
  std::unique_ptr<DatasetStore> store(
      new DatasetStore(std::move(state), std::move(blobs), std::move(database), clock));
  RETURN_IF_ERROR(store->RemoveUnused({found.begin(), found.end()}));
  return store;
}

absl::StatusOr<v1::DatasetVersion> DatasetStore::Put(const std::string& dataset,
                                                     const NewVersion& version,
                                                     const std::stop_token& stop) {
  const std::lock_guard lock(changing_);
  v1::StoredVersion details = DetailsOf(version);
  v1::DatasetVersion summary = details.description();
  summary.clear_schema();
  summary.clear_transforms();
  Blobs blobs;
  const absl::Status put = PutBlobs(version, stop, details, blobs);
  const absl::StatusOr<Row> row = put.ok() ? PutRow(dataset, blobs, summary) : put;
  // What the catalog does not name goes: all of it after a failure, nothing or the second telling
  // of a version that was there. A commit that failed may still have happened; the catalog knows.
  const absl::Status removed = RemoveUnused(blobs.all);
  if (!removed.ok()) {
    log::Warning("unused_blobs_stay", {{"reason", std::string(Message(removed))}});
  }
  RETURN_IF_ERROR(row.status());
  return Describe(*row);
}

absl::Status DatasetStore::PutBlobs(const NewVersion& version,
                                    const std::stop_token& stop,
                                    v1::StoredVersion& details,
                                    Blobs& blobs) {
  const auto put = [&](const std::string& bytes, std::string& sha256) -> absl::Status {
    ASSIGN_OR_RETURN(sha256, blobs_->Put(bytes));
    blobs.all.insert(sha256);
    return absl::OkStatus();
  };
  std::vector<WrittenColumn> columns(version.rows->column_count());
  const absl::Status written = PutColumns(version, stop, columns);
  v1::Manifest manifest = ManifestOf(version);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto& column = details.description().schema().columns(static_cast<int>(i));
    v1::ManifestColumn& entry = *manifest.add_columns();
    entry.set_name(column.name());
    entry.set_type(column.type());
    entry.set_sha256(columns[i].sha256);
    *details.add_segments() = std::move(columns[i].segments);
    if (!columns[i].sha256.empty()) {
      blobs.all.insert(columns[i].sha256);
    }
  }
  RETURN_IF_ERROR(written);
  RETURN_IF_ERROR(put(EncodeSplits(version.marks), *manifest.mutable_splits_sha256()));
  RETURN_IF_ERROR(put(Serialize(manifest), blobs.manifest));
  return put(Serialize(details), blobs.details);
}

// Fills in those that were written, after an error too.
absl::Status DatasetStore::PutColumns(const NewVersion& version,
                                      const std::stop_token& stop,
                                      std::vector<WrittenColumn>& columns) {
  const std::vector<std::size_t> order = features::LongestFirst(version.rows->schema());
  const auto write = [&](std::size_t place) -> absl::Status {
    const std::size_t column = order[place];
    if (stop.stop_requested()) {
      return Cancelled("the import was stopped");
    }
    ASSIGN_OR_RETURN(columns[column], WriteColumn(*version.rows, column, version.marks, *blobs_));
    return absl::OkStatus();
  };
  // One more than are told, so that a thread which waits for the disk leaves no core idle.
  const int threads = version.threads == 1 ? 1 : version.threads + 1;
  return features::InParallel(threads, columns.size(), write);
}

absl::StatusOr<DatasetStore::Row> DatasetStore::PutRow(const std::string& dataset,
                                                       const Blobs& blobs,
                                                       const v1::DatasetVersion& summary) {
  Row row{.dataset = dataset,
          .number = 0,
          .sha256 = blobs.manifest,
          .details_sha256 = blobs.details,
          .create_time_us =
              std::chrono::duration_cast<std::chrono::microseconds>(clock_.Now().time_since_epoch())
                  .count()};
  const absl::Status status = database_->Transact([&]() -> absl::Status {
    absl::StatusOr<Row> existing = Find({.id = dataset, .version = 0, .sha256 = row.sha256});
    if (existing.ok()) {
      row = *std::move(existing);
      return absl::OkStatus();
    }
    if (!absl::IsNotFound(existing.status())) {
      return existing.status();
    }
    ASSIGN_OR_RETURN(
        const auto numbers,
        database_->Query("INSERT INTO dataset (id, last_number) VALUES (?, 1)"
                         " ON CONFLICT (id) DO UPDATE SET last_number = last_number + 1"
                         " RETURNING last_number",
                         {dataset}));
    row.number = IntegerOf(numbers.at(0).at(0));
    ASSIGN_OR_RETURN(
        const auto places,
        database_->Query("INSERT INTO version (dataset, number, sha256, details_sha256,"
                         " create_time_us, summary) VALUES (?, ?, ?, ?, ?, ?) RETURNING place",
                         {dataset,
                          row.number,
                          row.sha256,
                          row.details_sha256,
                          row.create_time_us,
                          Blob{Serialize(summary)}}));
    return PutUses(blobs.all, places.at(0).at(0), *database_);
  });
  RETURN_IF_ERROR(status);
  return row;
}

absl::StatusOr<DatasetStore::Row> DatasetStore::Find(const VersionedName& name) {
  std::string sql =
      "SELECT dataset, number, sha256, details_sha256, create_time_us FROM version"
      " WHERE dataset = ?";
  DatabaseRow parameters = {name.id};
  if (!name.sha256.empty()) {
    sql += " AND sha256 = ?";
    parameters.emplace_back(name.sha256);
  } else if (name.version != 0) {
    sql += " AND number = ?";
    parameters.emplace_back(std::int64_t{name.version});
  } else {
    sql += " ORDER BY number DESC LIMIT 1";
  }
  ASSIGN_OR_RETURN(const auto rows, database_->Query(sql, parameters));
  if (rows.empty()) {
    return UnknownVersion(name);
  }
  return RowOf(rows.front());
}

DatasetStore::Row DatasetStore::RowOf(const DatabaseRow& values) {
  return {.dataset = TextOf(values.at(0)),
          .number = IntegerOf(values.at(1)),
          .sha256 = TextOf(values.at(2)),
          .details_sha256 = TextOf(values.at(3)),
          .create_time_us = IntegerOf(values.at(4))};
}

void DatasetStore::Name(const Row& row, v1::DatasetVersion& version) {
  constexpr std::int64_t kMicroseconds = 1'000'000;
  version.set_name(VersionName("datasets", row.dataset, static_cast<std::int32_t>(row.number)));
  version.set_sha256(row.sha256);
  version.mutable_create_time()->set_seconds(row.create_time_us / kMicroseconds);
  version.mutable_create_time()->set_nanos(
      static_cast<std::int32_t>(row.create_time_us % kMicroseconds * 1'000));
}

absl::StatusOr<std::string> DatasetStore::ReadBlob(const Row& row, const std::string& sha256) {
  absl::StatusOr<std::string> bytes = blobs_->Get(sha256);
  if (!absl::IsNotFound(bytes.status())) {
    return bytes;
  }
  return Missing(row, sha256);
}

// Deleted since the row was read, or lost.
absl::Status DatasetStore::Missing(const Row& row, const std::string& sha256) {
  RETURN_IF_ERROR(Find({.id = row.dataset, .version = 0, .sha256 = row.sha256}).status());
  return DataLoss("blob {} of datasets/{}/versions/{} is missing", sha256, row.dataset, row.number);
}

absl::StatusOr<storage::SegmentedBlob> DatasetStore::OpenColumn(const Row& row,
                                                                const std::string& sha256,
                                                                std::size_t segment) {
  absl::StatusOr<storage::SegmentedBlob> blob = blobs_->OpenSegmented(sha256);
  if (absl::IsNotFound(blob.status())) {
    return Missing(row, sha256);
  }
  if (blob.ok() && segment >= blob->count()) {
    return DataLoss("blob {} has {} segments, expected more", sha256, blob->count());
  }
  return blob;
}

absl::StatusOr<std::vector<std::int64_t>> DatasetStore::SegmentBytes(const Row& row,
                                                                     const std::string& sha256,
                                                                     std::size_t segments) {
  std::vector<std::int64_t> bytes(segments);
  if (segments > 0) {
    ASSIGN_OR_RETURN(const storage::SegmentedBlob blob, OpenColumn(row, sha256, segments - 1));
    for (std::size_t segment = 0; segment < segments; ++segment) {
      bytes[segment] = blob.size_bytes(segment);
    }
  }
  return bytes;
}

absl::StatusOr<features::ColumnCells> DatasetStore::ReadSegment(const Row& row,
                                                                const std::string& sha256,
                                                                std::size_t segment) {
  ASSIGN_OR_RETURN(const storage::SegmentedBlob blob, OpenColumn(row, sha256, segment));
  ASSIGN_OR_RETURN(const std::string bytes, blob.Read(segment));
  return DecodeColumn(bytes);
}

absl::StatusOr<v1::StoredVersion> DatasetStore::Details(const Row& row) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadBlob(row, row.details_sha256));
  return Parse<v1::StoredVersion>(bytes, "a stored version");
}

absl::StatusOr<v1::DatasetVersion> DatasetStore::Describe(const Row& row) {
  ASSIGN_OR_RETURN(v1::StoredVersion details, Details(row));
  v1::DatasetVersion version = std::move(*details.mutable_description());
  Name(row, version);
  return version;
}

absl::StatusOr<v1::DatasetVersion> DatasetStore::Get(const VersionedName& name) {
  ASSIGN_OR_RETURN(const Row row, Find(name));
  return Describe(row);
}

absl::StatusOr<std::string> DatasetStore::Resolve(const VersionedName& name) {
  ASSIGN_OR_RETURN(Row row, Find(name));
  return std::move(row.sha256);
}

absl::StatusOr<v1::GetStatisticsResponse> DatasetStore::Statistics(const VersionedName& name) {
  ASSIGN_OR_RETURN(const Row row, Find(name));
  ASSIGN_OR_RETURN(v1::StoredVersion details, Details(row));
  return std::move(*details.mutable_statistics());
}

absl::StatusOr<v1::ListDatasetsResponse> DatasetStore::List(const std::string& dataset,
                                                            std::int32_t page_size,
                                                            const std::string& page_token) {
  std::int64_t before = std::numeric_limits<std::int64_t>::max();
  if (!page_token.empty()) {
    ASSIGN_OR_RETURN(before, PlaceOf(page_token));
  }
  // One more than asked for tells whether there is a next page.
  ASSIGN_OR_RETURN(
      const auto rows,
      database_->Query("SELECT dataset, number, sha256, details_sha256, create_time_us, place,"
                       " summary FROM version WHERE place < ?1 AND (?2 = '' OR dataset = ?2)"
                       " ORDER BY place DESC LIMIT ?3",
                       {before, dataset, std::int64_t{page_size} + 1}));
  v1::ListDatasetsResponse page;
  PageRoom room(page_size);
  std::int64_t last = 0;
  for (const DatabaseRow& values : rows) {
    const std::string& summary = storage::BytesOf(values.at(6));
    if (!room.Take(summary.size())) {
      page.set_next_page_token(std::to_string(last));
      break;
    }
    ASSIGN_OR_RETURN(*page.add_datasets(), Parse<v1::DatasetVersion>(summary, "a summary"));
    Name(RowOf(values), *page.mutable_datasets()->rbegin());
    last = IntegerOf(values.at(5));
  }
  return page;
}

absl::StatusOr<std::int32_t> DatasetStore::Delete(const VersionedName& name) {
  const std::lock_guard lock(changing_);
  const bool all = name.version == 0 && name.sha256.empty();
  std::set<std::string> candidates;
  std::int32_t count = 0;
  RETURN_IF_ERROR(database_->TransactToRemove([&]() -> absl::Status {
    ASSIGN_OR_RETURN(const Row row, Find(name));
    // Number 0 is no version's: then the condition is on the dataset alone.
    const DatabaseRow which = {row.dataset, all ? std::int64_t{0} : row.number};
    ASSIGN_OR_RETURN(
        const auto uses,
        database_->Query("SELECT DISTINCT blob_use.sha256 FROM blob_use JOIN version USING (place)"
                         " WHERE dataset = ?1 AND (?2 = 0 OR number = ?2)",
                         which));
    for (const DatabaseRow& use : uses) {
      candidates.insert(TextOf(use.at(0)));
    }
    ASSIGN_OR_RETURN(
        const auto deleted,
        database_->Query("DELETE FROM version WHERE dataset = ?1 AND (?2 = 0 OR number = ?2)"
                         " RETURNING place",
                         which));
    count = static_cast<std::int32_t>(deleted.size());
    return absl::OkStatus();
  }));
  const absl::Status removed = RemoveUnused(candidates);
  if (!removed.ok()) {  // the version is gone; its bytes go at the next Open()
    log::Warning("unused_blobs_stay", {{"reason", std::string(Message(removed))}});
  }
  return count;
}

// A version's columns, read from the store as they are asked for.
class StoredRows final : public features::ColumnSegments {
 public:
  StoredRows(DatasetStore& store, DatasetStore::Row row) : store_(store), row_(std::move(row)) {}

  // Reads all but the segments.
  absl::Status Open() {
    ASSIGN_OR_RETURN(details_, store_.Details(row_));
    ASSIGN_OR_RETURN(const std::string bytes, store_.ReadBlob(row_, row_.sha256));
    ASSIGN_OR_RETURN(manifest_, Parse<v1::Manifest>(bytes, "a manifest"));
    ASSIGN_OR_RETURN(const std::string splits, store_.ReadBlob(row_, manifest_.splits_sha256()));
    ASSIGN_OR_RETURN(marks_, DecodeSplits(splits));
    const auto rows = static_cast<std::int64_t>(marks_.size());
    if (manifest_.columns_size() != details_.segments_size() ||
        manifest_.columns_size() != schema().columns_size()) {
      return DataLoss("what is told of a version does not fit its manifest");
    }
    for (const v1::ColumnSegments& column : details_.segments()) {
      const std::int64_t end = column.end_rows().empty() ? 0 : *column.end_rows().rbegin();
      if (end != rows || !std::is_sorted(column.end_rows().begin(), column.end_rows().end())) {
        return DataLoss("a column has {} rows, expected {}", end, rows);
      }
    }
    return absl::OkStatus();
  }

  [[nodiscard]] const v1::StoredVersion& details() const { return details_; }

  [[nodiscard]] const schema::v1::Schema& schema() const override {
    return details_.description().schema();
  }

  [[nodiscard]] const features::RowMarks& marks() const override { return marks_; }

  [[nodiscard]] std::span<const std::int64_t> end_rows(std::size_t column) const override {
    const auto& ends = details_.segments(static_cast<int>(column)).end_rows();
    return {ends.data(), static_cast<std::size_t>(ends.size())};
  }

  [[nodiscard]] absl::StatusOr<std::vector<std::int64_t>> EncodedBytes(
      std::size_t column) const override {
    const std::string& sha256 = manifest_.columns(static_cast<int>(column)).sha256();
    return store_.SegmentBytes(row_, sha256, end_rows(column).size());
  }

  [[nodiscard]] absl::StatusOr<features::ColumnCells> Read(std::size_t column,
                                                           std::size_t segment) const override {
    const v1::ManifestColumn& entry = manifest_.columns(static_cast<int>(column));
    ASSIGN_OR_RETURN(features::ColumnCells cells,
                     store_.ReadSegment(row_, entry.sha256(), segment));
    const auto ends = end_rows(column);
    const std::int64_t expected = ends[segment] - (segment == 0 ? 0 : ends[segment - 1]);
    if (cells.size() != expected) {
      return DataLoss("a segment of column '{}' has {} rows, expected {}",
                      entry.name(),
                      cells.size(),
                      expected);
    }
    return cells;
  }

 private:
  DatasetStore& store_;
  DatasetStore::Row row_;
  v1::StoredVersion details_;
  v1::Manifest manifest_;
  features::RowMarks marks_;
};

absl::StatusOr<std::unique_ptr<const features::ColumnSegments>> DatasetStore::OpenRows(
    const VersionedName& name) {
  ASSIGN_OR_RETURN(Row row, Find(name));
  auto rows = std::make_unique<StoredRows>(*this, std::move(row));
  RETURN_IF_ERROR(rows->Open());
  return rows;
}

absl::StatusOr<VersionContent> DatasetStore::Load(const VersionedName& name) {
  ASSIGN_OR_RETURN(Row row, Find(name));
  StoredRows rows(*this, std::move(row));
  RETURN_IF_ERROR(rows.Open());
  VersionContent content;
  content.marks = rows.marks();
  content.transforms = rows.details().description().transforms();
  content.table.schema = rows.schema();
  content.table.schema.clear_columns();
  for (int c = 0; c < rows.schema().columns_size(); ++c) {
    const schema::v1::Column& column = rows.schema().columns(c);
    if (column.role() == schema::v1::COLUMN_ROLE_SET_ASIDE) {
      continue;
    }
    *content.table.schema.add_columns() = column;
    features::ColumnJoiner joiner(features::IsNumeric(column.type()));
    const auto index = static_cast<std::size_t>(c);
    for (std::size_t segment = 0; segment < rows.end_rows(index).size(); ++segment) {
      ASSIGN_OR_RETURN(const features::ColumnCells cells, rows.Read(index, segment));
      joiner.Add(cells, 0, cells.valid.size());
    }
    content.table.columns.push_back(joiner.Release());
  }
  return content;
}

absl::Status DatasetStore::RemoveUnused(const std::set<std::string>& candidates) {
  for (const std::string& sha256 : candidates) {
    ASSIGN_OR_RETURN(const auto uses,
                     database_->Query("SELECT 1 FROM blob_use WHERE sha256 = ? LIMIT 1", {sha256}));
    RETURN_IF_ERROR(uses.empty() ? blobs_->Remove(sha256) : absl::OkStatus());
  }
  return absl::OkStatus();
}

}  // namespace millrace::data
