// Verified: a service's state, looked at before a service opens it.

#pragma once

#include <string>

#include <absl/status/status.h>

#include "common/state/state.h"
#include "common/status/status.h"

namespace millrace::faults {

/// DATA_LOSS that names the first damage in `folder`; OK when there is no state yet.
inline absl::Status Verified(storage::FileSystem& files,
                             const std::string& folder,
                             const state::StateLayout& layout) {
  const auto report = state::Verify(files, folder, layout);
  if (absl::IsNotFound(report.status())) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(report.status());
  return report->damage.empty() ? absl::OkStatus() : DataLoss("{}", report->damage.front());
}

}  // namespace millrace::faults
