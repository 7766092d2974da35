// RunTask: one run from its dataset version to its model version.

#pragma once

#include <stop_token>

#include <absl/status/statusor.h>

#include "millrace/training/v1/worker.pb.h"

#include "services/training/worker/reporter.h"

namespace millrace::training {

/// Fetches, trains, evaluates and publishes, in that order, holding the lock of the task's folder.
/// Blocks; reports each epoch and each checkpoint, and notes between the steps. The result is
/// complete when the model version answers in serving.
///
/// Training goes on from the newest checkpoint in the folder (checkpoint.h) and keeps others there
/// (run_progress.h): whenever a task ends without a result, the same task once more ends with the
/// same weights, epochs and bytes of the bundle as one that never ended.
///
/// Fails as the steps do (fetch.h, spec.h, trainer.h, publish.h), with CANCELLED when `stop` is
/// requested, after a checkpoint; and with FAILED_PRECONDITION when another worker keeps holding
/// the folder, a checkpoint is of a newer build or the machine lacks AVX2 and FMA.
absl::StatusOr<v1::WorkerResult> RunTask(const v1::WorkerTask& task,
                                         const Reporter& report,
                                         const std::stop_token& stop);

}  // namespace millrace::training
