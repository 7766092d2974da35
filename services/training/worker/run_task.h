// RunTask: one run from its dataset version to its trained bundle.

#pragma once

#include <stop_token>

#include <absl/status/statusor.h>

#include "millrace/training/v1/worker.pb.h"

#include "common/patience/patience.h"
#include "services/training/worker/reporter.h"

namespace millrace::training {

/// Fetches, trains, evaluates and writes the bundle into the task's folder (trained_files.h), in
/// that order, holding the lock of the folder. Blocks; reports each epoch and each checkpoint, what
/// it waits for, and notes between the steps. Returns what is to be reported last: the result, once
/// the bundle is on the medium, or that it gave way, when the data service or the disk has let it
/// wait longer than `patience` allows.
///
/// Training goes on from the newest checkpoint in the folder (checkpoint.h) and keeps others there
/// (run_progress.h): whenever a task ends without a result, the same task once more ends with the
/// same weights, epochs and bytes of the bundle as one that never ended.
///
/// Fails as the steps do (fetch.h, spec.h, trainer.h, trained_files.h), with CANCELLED when `stop`
/// is requested, after a checkpoint; and with FAILED_PRECONDITION when another worker keeps holding
/// the folder, a checkpoint is of a newer build or the machine lacks AVX2 and FMA.
absl::StatusOr<v1::WorkerReport> RunTask(const v1::WorkerTask& task,
                                         const Reporter& report,
                                         const std::stop_token& stop,
                                         const Patience::Options& patience_options = {});

}  // namespace millrace::training
