#include "services/training/publish/trained_files.h"

#include <cstdint>

#include "common/status/status.h"
#include "common/storage/sha256.h"

namespace millrace::training {

namespace {

constexpr std::string_view kBundle = "bundle";
constexpr std::string_view kFacts = "trained";
constexpr std::int64_t kReadBytes = std::int64_t{1} << 20;

// Longer than any: transforms have at most some MiB of categories.
constexpr std::int64_t kFactsBytesMax = std::int64_t{1} << 30;

std::string PathOf(const std::string& folder, std::string_view name) {
  return fmt::format("{}/{}", folder, name);
}

// Beside its place first, so that the place never has a part of it.
absl::Status Write(storage::FileSystem& files,
                   const std::string& folder,
                   std::string_view name,
                   std::string_view bytes) {
  const std::string path = PathOf(folder, name);
  const std::string unfinished = path + ".tmp";
  const absl::Status removed = files.Remove(unfinished);
  if (!removed.ok() && !absl::IsNotFound(removed)) {
    return removed;
  }
  ASSIGN_OR_RETURN(const auto file, files.Create(unfinished));
  RETURN_IF_ERROR(file->Append(bytes));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(file->Close());
  RETURN_IF_ERROR(files.Rename(unfinished, path));
  return files.SyncFolder(folder);
}

}  // namespace

absl::Status WriteTrained(storage::FileSystem& files,
                          const std::string& folder,
                          std::string_view bundle,
                          const schema::v1::TransformSet& transforms) {
  v1::TrainedBundle facts;
  facts.set_sha256(storage::Sha256Of(bundle));
  facts.set_size_bytes(static_cast<std::int64_t>(bundle.size()));
  *facts.mutable_transforms() = transforms;
  RETURN_IF_ERROR(Write(files, folder, kBundle, bundle));
  return Write(files, folder, kFacts, facts.SerializeAsString());
}

absl::StatusOr<TrainedFiles> OpenTrained(storage::FileSystem& files, const std::string& folder) {
  TrainedFiles trained;
  const auto facts = files.Open(PathOf(folder, kFacts));
  auto bundle = files.Open(PathOf(folder, kBundle));
  for (const absl::Status& opened : {facts.status(), bundle.status()}) {
    if (absl::IsNotFound(opened)) {
      return WithFix(NotFound("the run's trained bundle is not there"),
                     "remove the run and start another: backups hold no run's files");
    }
    RETURN_IF_ERROR(opened);
  }
  ASSIGN_OR_RETURN(const std::string bytes, (*facts)->Read(0, kFactsBytesMax));
  trained.bundle = *std::move(bundle);
  if (!trained.facts.ParseFromString(bytes) ||
      trained.facts.size_bytes() != trained.bundle->size()) {
    return DataLoss("the run's trained bundle of {} bytes is damaged: {} expected",
                    trained.bundle->size(),
                    trained.facts.size_bytes());
  }
  return trained;
}

absl::Status VerifyTrained(const TrainedFiles& trained) {
  storage::Sha256 digest;
  for (std::int64_t offset = 0; offset < trained.bundle->size(); offset += kReadBytes) {
    ASSIGN_OR_RETURN(const std::string bytes, trained.bundle->Read(offset, kReadBytes));
    digest.Update(bytes);
  }
  if (digest.Finish() != trained.facts.sha256()) {
    return DataLoss("the run's trained bundle is damaged: it is not what its SHA-256 says");
  }
  return absl::OkStatus();
}

}  // namespace millrace::training
