// Options: what an import may ask for.

#pragma once

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"

namespace millrace::data {

/// The options with their defaults filled in; what is found out from the file stays open.
/// INVALID_ARGUMENT names the field, what it must be and what was found.
absl::StatusOr<v1::ImportOptions> CompleteOptions(const v1::ImportOptions& options);

}  // namespace millrace::data
