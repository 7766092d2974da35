// LongRun: a run that goes on for hours, unless somebody ends it.

#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/training/v1/training_service.pb.h"

#include "tests/integration/clients.h"

namespace millrace::integration {

/// Imports the dataset that long runs learn from.
absl::StatusOr<data::v1::DatasetVersion> ImportLongData(Clients& clients);

/// A request for a long run. An epoch takes about a tenth of a second.
training::v1::CreateRunRequest LongRun(std::string_view model);

/// Creates a run and returns once its first epoch has ended.
absl::StatusOr<training::v1::Run> StartRun(TrainingStub& stub,
                                           const training::v1::CreateRunRequest& request);

}  // namespace millrace::integration
