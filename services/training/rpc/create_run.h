// CreateRun: the way of one request from its words to an accepted run.

#pragma once

#include <grpcpp/grpcpp.h>

#include "millrace/training/v1/training_service.pb.h"

#include "services/training/rpc/training_service.h"

namespace millrace::training {

/// Checks the request, asks the data service for the dataset version without waiting for it in a
/// thread, checks that the spec fits, asks the serving service likewise whether it would take the
/// model, and hands the run to the executor. A serving service that does not answer is passed over.
/// All that `parts` refers to outlives the call.
grpc::ServerUnaryReactor* StartCreateRun(const ServiceParts& parts,
                                         grpc::CallbackServerContext& context,
                                         const v1::CreateRunRequest& request,
                                         v1::Run& response);

}  // namespace millrace::training
