#include <string>
#include <vector>

#include "common/clock/clock.h"
#include "common/model/bundle.h"
#include "common/status/status.h"
#include "common/storage/sha256.h"
#include "common/transfer/upload_store.h"
#include "services/serving/load/repository.h"
#include "tests/faults/flow.h"
#include "tests/faults/verified.h"
#include "tests/unit/services/serving/small_bundle.h"

namespace millrace::faults {

namespace {

using serving::Repository;

const std::string kModel = "small";
const std::string kCaller = "somebody";

// The way of an upload that can go on: received, read back, kept, answered.
absl::Status Upload(storage::FileSystem& files,
                    const std::string& folder,
                    Repository& repository,
                    float weights) {
  const model::Bundle bundle = serving::SmallBundle(weights);
  ASSIGN_OR_RETURN(const std::string bytes, model::WriteBundle(bundle));
  constexpr std::int64_t kBytesMax = std::int64_t{1} << 20;
  ASSIGN_OR_RETURN(const auto uploads,
                   transfer::UploadStore::Open(
                       files,
                       folder + "/uploads",
                       SystemClock(),
                       {.upload_bytes_max = kBytesMax, .unfinished_bytes_max = kBytesMax}));
  ASSIGN_OR_RETURN(const auto upload,
                   uploads->Begin(fmt::format("upload-of-a-bundle-{}", weights),
                                  serving::v1::UploadHeader(),
                                  {.subject = "models/m", .caller = kCaller}));
  transfer::v1::Chunk chunk;
  chunk.set_data(bytes);
  RETURN_IF_ERROR(upload->Take(chunk));
  transfer::v1::Close close;
  close.set_size_bytes(static_cast<std::int64_t>(bytes.size()));
  close.set_sha256(storage::Sha256Of(bytes));
  RETURN_IF_ERROR(upload->Finish(close).status());
  ASSIGN_OR_RETURN(const auto file, upload->OpenBytes());
  ASSIGN_OR_RETURN(const std::string read, file->Read(0, file->size()));
  absl::Status added = repository.Add(kModel, read, bundle.manifest, {.caller = kCaller}).status();
  upload->Answer(added);
  return added;
}

absl::Status SetRoute(Repository& repository, std::int32_t percent_of_first) {
  std::vector<serving::v1::RouteShare> shares(2);
  shares[0].set_version(2);
  shares[0].set_percent(100 - percent_of_first);
  shares[1].set_version(1);
  shares[1].set_percent(percent_of_first);
  shares.resize(percent_of_first == 0 ? 1 : 2);
  return repository.SetRoute(kModel, shares, kCaller);
}

absl::Status UploadTwo(storage::FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(const auto repository, Repository::Open(files, folder, SystemClock()));
  RETURN_IF_ERROR(Upload(files, folder, *repository, 1));
  RETURN_IF_ERROR(Upload(files, folder, *repository, 2));
  return SetRoute(*repository, 0);
}

absl::Status UploadThird(storage::FileSystem& files,
                         const std::string& folder,
                         const std::function<void()>& acknowledge) {
  ASSIGN_OR_RETURN(const auto repository, Repository::Open(files, folder, SystemClock()));
  RETURN_IF_ERROR(Upload(files, folder, *repository, 3));
  acknowledge();
  return absl::OkStatus();
}

absl::Status RouteBoth(storage::FileSystem& files,
                       const std::string& folder,
                       const std::function<void()>& acknowledge) {
  ASSIGN_OR_RETURN(const auto repository, Repository::Open(files, folder, SystemClock()));
  RETURN_IF_ERROR(SetRoute(*repository, 30));
  acknowledge();
  return absl::OkStatus();
}

absl::Status DeleteFirst(storage::FileSystem& files,
                         const std::string& folder,
                         const std::function<void()>& acknowledge) {
  ASSIGN_OR_RETURN(const auto repository, Repository::Open(files, folder, SystemClock()));
  const absl::Status deleted = repository->Delete(kModel, 1, kCaller);
  RETURN_IF_ERROR(absl::IsNotFound(deleted) ? absl::OkStatus() : deleted);
  acknowledge();
  return absl::OkStatus();
}

absl::StatusOr<std::string> Describe(storage::FileSystem& files, const std::string& folder) {
  RETURN_IF_ERROR(Verified(files, folder, Repository::Layout()));
  ASSIGN_OR_RETURN(const auto repository, Repository::Open(files, folder, SystemClock()));
  ASSIGN_OR_RETURN(const auto versions, repository->Versions());
  std::string text;
  for (const serving::VersionRecord& version : versions) {
    ASSIGN_OR_RETURN(const std::string bytes, repository->Read(version));
    RETURN_IF_ERROR(model::ReadBundle(bytes).status());
    text += fmt::format("{}@{} {}\n", version.model, version.number, version.sha256);
  }
  ASSIGN_OR_RETURN(const auto routes, repository->Routes());
  for (const auto& [model, shares] : routes) {
    for (const serving::v1::RouteShare& share : shares) {
      text += fmt::format("{}@{} gets {}\n", model, share.version(), share.percent());
    }
  }
  ASSIGN_OR_RETURN(const auto changes,
                   repository->RouteChanges(kModel, /*before=*/0, /*count=*/100));
  for (const serving::v1::RouteChange& change : changes) {
    text +=
        fmt::format("change {} to {} shares\n", change.sequence(), change.route().shares_size());
  }
  return text;
}

}  // namespace

Flow ServingUpload() {
  return {
      .name = "serving_upload", .prepare = UploadTwo, .perform = UploadThird, .describe = Describe};
}

Flow ServingRoute() {
  return {
      .name = "serving_route", .prepare = UploadTwo, .perform = RouteBoth, .describe = Describe};
}

Flow ServingDelete() {
  return {
      .name = "serving_delete", .prepare = UploadTwo, .perform = DeleteFirst, .describe = Describe};
}

}  // namespace millrace::faults
