// Upload: a bundle on its way to the serving service.

#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "clients/cli/shell.h"

namespace millrace::cli {

/// Sends the bundle at `path` as the next version of `model` (`models/{model}`), with progress.
/// NOT_FOUND when there is no such file, and what the serving service says.
absl::StatusOr<serving::v1::ModelVersion> UploadBundle(Shell& shell,
                                                       const std::string& path,
                                                       const std::string& model);

}  // namespace millrace::cli
