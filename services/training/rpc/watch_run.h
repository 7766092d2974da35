// WatchRun: a run's events to one caller, those that have been and those that come.

#pragma once

#include <grpcpp/grpcpp.h>

#include "millrace/training/v1/training_service.pb.h"

#include "common/rpc/pool.h"
#include "services/training/runs/run_store.h"

namespace millrace::training {

/// Streams the events of a run in order and ends after the one that brought it to rest. Reads them
/// from the store a few at a time as fast as the caller takes them, so that a slow one costs no
/// memory; sleeps, and holds no thread, while there is none. Frees itself when the call ends or is
/// cancelled. `store` and `pool` outlive the call.
grpc::ServerWriteReactor<v1::RunEvent>* StartWatchRun(RunStore& store,
                                                      rpc::Pool& pool,
                                                      const v1::WatchRunRequest& request);

}  // namespace millrace::training
