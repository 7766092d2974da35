// RunTask: one run from its dataset version to its model version.

#pragma once

#include <functional>
#include <stop_token>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/training/v1/worker.pb.h"

namespace millrace::training {

/// Takes what a worker has to say while it works. An error ends the work with it.
using Reporter = std::function<absl::Status(const v1::WorkerReport&)>;

/// Fetches, trains, evaluates and publishes, in that order, holding the lock of the task's folder.
/// Blocks; reports each epoch, and notes between the steps. The result is complete when the model
/// version answers in serving.
///
/// Fails as the steps do (fetch.h, spec.h, trainer.h, publish.h), with CANCELLED when `stop` is
/// requested, and with FAILED_PRECONDITION when another worker holds the folder or the machine
/// lacks AVX2 and FMA.
absl::StatusOr<v1::WorkerResult> RunTask(const v1::WorkerTask& task,
                                         const Reporter& report,
                                         const std::stop_token& stop);

}  // namespace millrace::training
