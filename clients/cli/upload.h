// Upload: a bundle on its way to the serving service.

#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "clients/cli/shell.h"

namespace millrace::cli {

/// What announces the bundle at `path` as a version of `model` (`models/{model}`): its size and
/// what it asks of a row. NOT_FOUND when there is no such file; INVALID_ARGUMENT when it is no
/// bundle.
absl::StatusOr<serving::v1::UploadHeader> HeaderOfBundle(const std::string& path,
                                                         const std::string& model);

/// Sends the bundle at `path` as the next version of `header.model`, with progress. NOT_FOUND when
/// there is no such file, and what the serving service says.
absl::StatusOr<serving::v1::ModelVersion> UploadBundle(Shell& shell,
                                                       const std::string& path,
                                                       const serving::v1::UploadHeader& header);

}  // namespace millrace::cli
