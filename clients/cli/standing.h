// Standing: what stands on a dataset or a model version, told before it is deleted.

#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "clients/cli/shell.h"

namespace millrace::cli {

/// Whether `version` (`datasets/a/versions/1`) is `dataset` or one of its versions (`datasets/a`).
bool IsOf(const std::string& version, const std::string& dataset);

/// Model versions that were trained on `dataset`, all its versions or one, newest first.
absl::StatusOr<std::vector<serving::v1::ModelVersion>> ModelsTrainedOn(const std::string& dataset,
                                                                       Shell& shell);

/// Tells the models that were trained on `dataset`, their share of traffic, and the runs that need
/// it. A service that cannot be asked is told, and no reason to stop.
void TellWhatStandsOn(const std::string& dataset, Shell& shell);

/// Tells what callers of the model will see when `version` is gone.
void TellWhatGoesWith(const serving::v1::ModelVersion& version, Shell& shell);

}  // namespace millrace::cli
