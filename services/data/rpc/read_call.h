// ReadCall: a dataset version's examples on their way to a trainer.

#pragma once

#include <cstdint>

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.pb.h"

#include "common/memory/quiet_timer.h"
#include "common/rpc/pool.h"
#include "services/data/read/examples_cache.h"
#include "services/data/read/read_budget.h"
#include "services/data/store/dataset_store.h"

namespace millrace::data {

/// What reading works with. Owns nothing.
struct ReadParts {
  DatasetStore& store;
  ExamplesCache& cache;
  ReadBudget& budget;
  rpc::Pool& pool;  // loads versions and encodes messages, and nothing else waits for it
  QuietTimer& quiet;
};

/// A share of the budget, for which what is kept for later readers makes room.
absl::StatusOr<ReadBudget::Share> TakeShare(const ReadParts& parts, std::int64_t bytes);

/// Answers ReadExamples. Does not own `parts` and `request`, which outlive the call.
grpc::ServerWriteReactor<v1::ReadExamplesResponse>* StartReadExamples(
    const ReadParts& parts,
    const v1::ReadExamplesRequest& request);

}  // namespace millrace::data
