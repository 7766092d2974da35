// Import: a file on its way to the data service.

#pragma once

#include <limits>
#include <string>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"

#include "clients/cli/shell.h"
#include "clients/cli/table.h"

namespace millrace::cli {

/// Sends the file at `path` as a version of `header.dataset`, with progress. When the stream breaks
/// it goes on from where the service has it, and says so. NOT_FOUND when there is no such file, and
/// what the data service says.
absl::StatusOr<data::v1::DatasetVersion> ImportFile(Shell& shell,
                                                    const std::string& path,
                                                    const data::v1::ImportHeader& header);

/// What became of the rows: counts, splits, and the effects of cleaning, at most `effects_max`.
std::string ImportSummary(const data::v1::DatasetVersion& version,
                          TableStyle style = {},
                          int effects_max = std::numeric_limits<int>::max());

}  // namespace millrace::cli
