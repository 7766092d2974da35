// ReadCall: a dataset version's examples on their way to a trainer.

#pragma once

#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.pb.h"

#include "common/rpc/pool.h"
#include "services/data/read/examples_cache.h"
#include "services/data/store/dataset_store.h"

namespace millrace::data {

/// What reading works with. Owns nothing.
struct ReadParts {
  DatasetStore& store;
  ExamplesCache& cache;
  rpc::Pool& disk;  // loads versions and encodes messages
};

/// Answers ReadExamples. Does not own `parts` and `request`, which outlive the call.
grpc::ServerWriteReactor<v1::ReadExamplesResponse>* StartReadExamples(
    const ReadParts& parts,
    const v1::ReadExamplesRequest& request);

}  // namespace millrace::data
