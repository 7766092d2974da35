// Permissions: what each method of TrainingService asks of its caller.

#pragma once

#include "common/rpc/access.h"

namespace millrace::training {

/// One entry a method.
inline rpc::Permissions TrainingPermissions() {
  using enum security::Permission;
  return {
      {"millrace.training.v1.TrainingService/CreateRun", kWriter},
      {"millrace.training.v1.TrainingService/GetRun", kReader},
      {"millrace.training.v1.TrainingService/ListRuns", kReader},
      {"millrace.training.v1.TrainingService/WatchRun", kReader},
      {"millrace.training.v1.TrainingService/CancelRun", kWriter},
      {"millrace.training.v1.TrainingService/PublishRun", kWriter},
      {"millrace.training.v1.TrainingService/DeleteRun", kOperator},
  };
}

}  // namespace millrace::training
