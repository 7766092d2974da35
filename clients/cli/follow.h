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

/// The run as it would be created, with every default of its spec filled in, or why it would not
/// be.
absl::StatusOr<training::v1::Run> CheckRun(Shell& shell, training::v1::CreateRunRequest request);

/// Watches `run` (`runs/{run}`), its history first, until it ends or rests unpublished; returns it
/// as it is then. CANCELLED when the user asks to stop, which leaves the run alone and says so.
absl::StatusOr<training::v1::Run> Watch(
    Shell& shell,
    const std::string& run,
    const std::function<void(const training::v1::RunEvent&)>& take);

/// Watch() with progress on the error stream.
absl::StatusOr<training::v1::Run> Follow(Shell& shell, const std::string& run);

/// Whether a run is still to do something with its dataset or its bundle.
bool IsUnderWay(const training::v1::Run& run);

/// OK for a run that succeeded; otherwise why it did not, with the code that the run failed with.
absl::Status Outcome(const training::v1::Run& run);

}  // namespace millrace::cli
