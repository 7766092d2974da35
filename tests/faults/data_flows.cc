#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "common/clock/clock.h"
#include "common/status/status.h"
#include "common/storage/blob_store.h"
#include "common/storage/sha256.h"
#include "services/data/pipeline/pipeline.h"
#include "services/data/store/dataset_store.h"
#include "tests/faults/flow.h"
#include "tests/faults/verified.h"

namespace millrace::faults {

namespace {

using data::DatasetStore;

const std::string kDataset = "people";

// Seven rows; `age` makes files differ. The colours are the same in all: versions may share blobs.
std::string FileOf(int age) {
  return fmt::format("age,colour\n{},red\n2,blue\n3,\n4,red\n5.5,green\n6,blue\n7,red\n7,red\n",
                     age);
}

struct Opened {
  std::unique_ptr<DatasetStore> store;
  std::string uploads;  // its folder
};

absl::StatusOr<Opened> Open(storage::FileSystem& files, const std::string& folder) {
  Opened opened{.store = nullptr, .uploads = folder + "/uploads"};
  ASSIGN_OR_RETURN(opened.store, DatasetStore::Open(files, folder, SystemClock()));
  RETURN_IF_ERROR(storage::PrepareFolder(files, opened.uploads));
  return opened;
}

// The way of an import: staged as it comes, read in blocks into temporary files, stored.
absl::Status Import(storage::FileSystem& files, const Opened& opened, int age) {
  ASSIGN_OR_RETURN(const auto staged, storage::StagedFile::Create(files, opened.uploads));
  RETURN_IF_ERROR(staged->Append(FileOf(age)));
  RETURN_IF_ERROR(staged->Close());
  ASSIGN_OR_RETURN(const auto file, files.Open(staged->path()));
  const data::StagedFile bytes{
      .size = file->size(),
      .read = [&](std::int64_t offset, std::int64_t size) { return file->Read(offset, size); }};
  data::v1::ImportHeader header;
  header.set_file_name("people.csv");
  const data::ImportMeans means{
      .scratch = {.files = files, .folder = opened.uploads}, .threads = 1, .block_bytes = 32};
  ASSIGN_OR_RETURN(data::ImportResult result, data::RunPipeline(header, bytes, means, {}));
  data::NewVersion version;
  version.pipeline_version = 1;
  version.rows = std::move(result.rows);
  version.marks = std::move(result.marks);
  version.description.add_sources()->set_sha256(storage::ToHex(storage::Sha256Of(FileOf(age))));
  *version.description.mutable_options() = std::move(result.options);
  *version.description.mutable_schema() = std::move(result.schema);
  *version.description.mutable_transforms() = std::move(result.transforms);
  version.statistics = std::move(result.statistics);
  return opened.store->Put(kDataset, version).status();
}

absl::Status ImportTwo(storage::FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(const Opened opened, Open(files, folder));
  RETURN_IF_ERROR(Import(files, opened, 10));
  return Import(files, opened, 20);
}

absl::Status ImportThird(storage::FileSystem& files,
                         const std::string& folder,
                         const std::function<void()>& acknowledge) {
  ASSIGN_OR_RETURN(const Opened opened, Open(files, folder));
  RETURN_IF_ERROR(Import(files, opened, 30));
  acknowledge();
  return absl::OkStatus();
}

absl::Status DeleteFirst(storage::FileSystem& files,
                         const std::string& folder,
                         const std::function<void()>& acknowledge) {
  ASSIGN_OR_RETURN(const Opened opened, Open(files, folder));
  const absl::Status deleted =
      opened.store->Delete({.id = kDataset, .version = 1, .sha256 = {}}).status();
  RETURN_IF_ERROR(absl::IsNotFound(deleted) ? absl::OkStatus() : deleted);
  acknowledge();
  return absl::OkStatus();
}

absl::StatusOr<std::string> Describe(storage::FileSystem& files, const std::string& folder) {
  RETURN_IF_ERROR(Verified(files, folder, DatasetStore::Layout()));
  ASSIGN_OR_RETURN(const Opened opened, Open(files, folder));
  ASSIGN_OR_RETURN(const auto left, files.List(opened.uploads));
  if (!left.empty()) {
    return Internal("{} is left in uploads", left.front());
  }
  ASSIGN_OR_RETURN(const auto page, opened.store->List("", /*page_size=*/100, ""));
  std::string text;
  for (const data::v1::DatasetVersion& version : page.datasets()) {
    ASSIGN_OR_RETURN(
        const auto content,
        opened.store->Load({.id = kDataset, .version = 0, .sha256 = version.sha256()}));
    text += fmt::format("{} {} of {} rows, the first of age {}\n",
                        version.name(),
                        version.sha256(),
                        version.row_count(),
                        content.table.columns.at(0).numbers.at(0));
  }
  return text;
}

}  // namespace

Flow DataFirstImport() {
  const auto prepare = [](storage::FileSystem&, const std::string&) { return absl::OkStatus(); };
  return {.name = "data_first_import",
          .prepare = prepare,
          .perform = ImportThird,
          .describe = Describe};
}

Flow DataImport() {
  return {
      .name = "data_import", .prepare = ImportTwo, .perform = ImportThird, .describe = Describe};
}

Flow DataDelete() {
  return {
      .name = "data_delete", .prepare = ImportTwo, .perform = DeleteFirst, .describe = Describe};
}

}  // namespace millrace::faults
