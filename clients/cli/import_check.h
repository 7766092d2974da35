// ImportCheck: what can be said of an import before anything is sent.

#pragma once

#include <string>

#include <absl/status/status.h>

#include "millrace/data/v1/data_service.pb.h"

namespace millrace::cli {

/// Whether the file at `path` can be read and has the columns that `header` names, in the words of
/// the data service. Reads its beginning. What only all of the file can say stays open.
absl::Status CheckImport(const std::string& path, const data::v1::ImportHeader& header);

}  // namespace millrace::cli
