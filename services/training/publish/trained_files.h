// TrainedFiles: a trained bundle in its run's folder, from the end of training until it is
// published.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/schema/v1/transforms.pb.h"
#include "millrace/training/v1/worker.pb.h"

#include "common/storage/file_system.h"

namespace millrace::training {

/// Writes the bytes of a bundle into `folder`, which exists, durably, and beside them what
/// publishing needs to know (TrainedBundle in worker.proto). What was there before is replaced.
/// Fails as the file system does.
absl::Status WriteTrained(storage::FileSystem& files,
                          const std::string& folder,
                          std::string_view bundle,
                          const schema::v1::TransformSet& transforms);

/// A bundle to be read, and what is known of it.
struct TrainedFiles {
  v1::TrainedBundle facts;
  std::unique_ptr<storage::ReadableFile> bundle;
};

/// NOT_FOUND when `folder` has none; DATA_LOSS when the facts cannot be read or the bundle has
/// another size.
absl::StatusOr<TrainedFiles> OpenTrained(storage::FileSystem& files, const std::string& folder);

/// Reads the whole bundle. DATA_LOSS when it is not what its SHA-256 says.
absl::Status VerifyTrained(const TrainedFiles& trained);

}  // namespace millrace::training
