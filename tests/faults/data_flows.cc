#include <string>
#include <vector>

#include "common/clock/clock.h"
#include "common/status/status.h"
#include "services/data/store/dataset_store.h"
#include "tests/faults/flow.h"
#include "tests/faults/verified.h"
#include "tests/unit/services/data/tables.h"

namespace millrace::faults {

namespace {

using data::DatasetStore;

const std::string kDataset = "people";

// Three rows; `age` makes versions differ. The texts are the same in all: versions share a blob.
data::NewVersion VersionOf(double age) {
  data::NewVersion version;
  version.pipeline_version = 1;
  data::AddNumbers(version.table, "age", {age, 2, 3});
  data::AddTexts(version.table, "colour", {"red", "blue", ""});
  version.splits = {.train = {0, 2}, .validation = {}, .test = {1}};
  return version;
}

absl::Status Put(DatasetStore& store, double age) {
  return store.Put(kDataset, VersionOf(age)).status();
}

absl::Status PutTwo(storage::FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(const auto store, DatasetStore::Open(files, folder, SystemClock()));
  RETURN_IF_ERROR(Put(*store, 1));
  return Put(*store, 2);
}

absl::Status PutThird(storage::FileSystem& files,
                      const std::string& folder,
                      const std::function<void()>& acknowledge) {
  ASSIGN_OR_RETURN(const auto store, DatasetStore::Open(files, folder, SystemClock()));
  RETURN_IF_ERROR(Put(*store, 3));
  acknowledge();
  return absl::OkStatus();
}

absl::Status DeleteFirst(storage::FileSystem& files,
                         const std::string& folder,
                         const std::function<void()>& acknowledge) {
  ASSIGN_OR_RETURN(const auto store, DatasetStore::Open(files, folder, SystemClock()));
  const absl::Status deleted = store->Delete({.id = kDataset, .version = 1, .sha256 = {}}).status();
  RETURN_IF_ERROR(absl::IsNotFound(deleted) ? absl::OkStatus() : deleted);
  acknowledge();
  return absl::OkStatus();
}

absl::StatusOr<std::string> Describe(storage::FileSystem& files, const std::string& folder) {
  RETURN_IF_ERROR(Verified(files, folder, DatasetStore::Layout()));
  ASSIGN_OR_RETURN(const auto store, DatasetStore::Open(files, folder, SystemClock()));
  ASSIGN_OR_RETURN(const auto page, store->List("", /*page_size=*/100, ""));
  std::string text;
  for (const data::v1::DatasetVersion& version : page.datasets()) {
    ASSIGN_OR_RETURN(const auto content,
                     store->Load({.id = kDataset, .version = 0, .sha256 = version.sha256()}));
    text += fmt::format(
        "{} {} of age {}\n", version.name(), version.sha256(), content.table.columns[0].numbers[0]);
  }
  return text;
}

}  // namespace

Flow DataFirstPut() {
  const auto prepare = [](storage::FileSystem&, const std::string&) { return absl::OkStatus(); };
  return {.name = "data_first_put", .prepare = prepare, .perform = PutThird, .describe = Describe};
}

Flow DataPut() {
  return {.name = "data_put", .prepare = PutTwo, .perform = PutThird, .describe = Describe};
}

Flow DataDelete() {
  return {.name = "data_delete", .prepare = PutTwo, .perform = DeleteFirst, .describe = Describe};
}

}  // namespace millrace::faults
