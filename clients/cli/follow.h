// Follow: a run, created, and watched until it ends.

#pragma once

#include <functional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/training/v1/training_service.pb.h"

#include "clients/cli/shell.h"

namespace millrace::cli {

/// Creates a run. CANCELLED when the user asks to stop meanwhile, with how to see whether it was.
absl::StatusOr<training::v1::Run> CreateRun(Shell& shell, training::v1::CreateRunRequest request);

/// Watches `run` (`runs/{run}`), its history first, until it ends; returns it as it ended.
/// CANCELLED when the user asks to stop, which leaves the run alone and says so.
absl::StatusOr<training::v1::Run> Watch(
    Shell& shell,
    const std::string& run,
    const std::function<void(const training::v1::RunEvent&)>& take);

/// Watch() with progress on the error stream.
absl::StatusOr<training::v1::Run> Follow(Shell& shell, const std::string& run);

/// OK for a run that succeeded; otherwise why it did not.
absl::Status Outcome(const training::v1::Run& run);

}  // namespace millrace::cli
