#include <memory>
#include <string>
#include <thread>

#include "common/status/status.h"
#include "common/storage/database.h"
#include "common/storage/durable_file.h"
#include "tests/faults/flow.h"

namespace millrace::faults {

namespace {

using storage::FileSystem;

const std::string kOld = "the old value, all of it";
const std::string kNew = "the new value, all of it";

std::string PathIn(const std::string& folder) {
  return folder + "/value";
}

absl::Status WriteOld(FileSystem& files, const std::string& folder) {
  RETURN_IF_ERROR(files.MakeFolder(folder));
  return storage::WriteDurably(files, PathIn(folder), {kOld});
}

absl::StatusOr<std::string> Describe(FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(const auto file, files.Open(PathIn(folder)));
  return file->Read(0, file->size());
}

absl::Status WriteInPlace(FileSystem& files,
                          const std::string& folder,
                          const std::function<void()>& acknowledge) {
  RETURN_IF_ERROR(files.Remove(PathIn(folder)));
  ASSIGN_OR_RETURN(const auto file, files.Create(PathIn(folder)));
  RETURN_IF_ERROR(file->Append(kNew.substr(0, 10)));
  RETURN_IF_ERROR(file->Append(kNew.substr(10)));
  RETURN_IF_ERROR(file->Close());
  acknowledge();
  return absl::OkStatus();
}

absl::Status WriteOnTwoThreads(FileSystem& files,
                               const std::string& folder,
                               const std::function<void()>& acknowledge) {
  absl::Status status;
  const auto write = [&](const std::string& value) {
    std::thread([&] {
      status.Update(storage::WriteDurably(files, PathIn(folder), {value}));
    }).join();
  };
  write(kOld);
  write(kNew);
  RETURN_IF_ERROR(status);
  acknowledge();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<storage::Database>> OpenCatalog(FileSystem& files,
                                                               const std::string& folder) {
  RETURN_IF_ERROR(files.MakeFolder(folder));
  return storage::Database::Open(folder + "/values.db", {"CREATE TABLE value (text TEXT) STRICT;"});
}

absl::Status CommitUnsynced(FileSystem& files,
                            const std::string& folder,
                            const std::function<void()>& acknowledge) {
  ASSIGN_OR_RETURN(const auto catalog, OpenCatalog(files, folder));
  RETURN_IF_ERROR(catalog->Query("PRAGMA synchronous = NORMAL").status());
  RETURN_IF_ERROR(catalog->Query("INSERT INTO value VALUES (?)", {kNew}).status());
  acknowledge();
  return absl::OkStatus();
}

absl::StatusOr<std::string> DescribeCatalog(FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(const auto catalog, OpenCatalog(files, folder));
  ASSIGN_OR_RETURN(const auto rows, catalog->Query("SELECT DISTINCT text FROM value"));
  return rows.empty() ? kOld : storage::TextOf(rows.front().at(0));
}

// Beside its place and renamed, with the syncs that are asked for.
Flow Renaming(const std::string& name, bool sync_file, bool sync_folder) {
  const auto perform = [=](FileSystem& files,
                           const std::string& folder,
                           const std::function<void()>& acknowledge) -> absl::Status {
    const std::string beside = folder + "/beside.tmp";
    const absl::Status cleared = files.Remove(beside);
    RETURN_IF_ERROR(absl::IsNotFound(cleared) ? absl::OkStatus() : cleared);
    ASSIGN_OR_RETURN(const auto file, files.Create(beside));
    RETURN_IF_ERROR(file->Append(kNew));
    RETURN_IF_ERROR(sync_file ? file->Sync() : absl::OkStatus());
    RETURN_IF_ERROR(file->Close());
    RETURN_IF_ERROR(files.Rename(beside, PathIn(folder)));
    RETURN_IF_ERROR(sync_folder ? files.SyncFolder(folder) : absl::OkStatus());
    acknowledge();
    return absl::OkStatus();
  };
  return {.name = name, .prepare = WriteOld, .perform = perform, .describe = Describe};
}

}  // namespace

Flow NaiveInPlace() {
  return {
      .name = "naive_in_place", .prepare = WriteOld, .perform = WriteInPlace, .describe = Describe};
}

Flow NaiveWithoutSync() {
  return Renaming("naive_without_sync", /*sync_file=*/false, /*sync_folder=*/false);
}

Flow NaiveWithoutFileSync() {
  return Renaming("naive_without_file_sync", /*sync_file=*/false, /*sync_folder=*/true);
}

Flow NaiveWithoutFolderSync() {
  return Renaming("naive_without_folder_sync", /*sync_file=*/true, /*sync_folder=*/false);
}

Flow NaiveCatalog() {
  const auto prepare = [](FileSystem& files, const std::string& folder) {
    return OpenCatalog(files, folder).status();
  };
  return {.name = "naive_catalog",
          .prepare = prepare,
          .perform = CommitUnsynced,
          .describe = DescribeCatalog};
}

Flow NaiveOnTwoThreads() {
  return {.name = "naive_on_two_threads",
          .prepare = WriteOld,
          .perform = WriteOnTwoThreads,
          .describe = Describe};
}

}  // namespace millrace::faults
