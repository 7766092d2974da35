// Fetch: a dataset version from the data service into memory.

#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/data/v1/data_service.grpc.pb.h"
#include "millrace/schema/v1/statistics.pb.h"

#include "common/patience/patience.h"

namespace millrace::training {

/// The examples of one split, in the order of the file.
struct Examples {
  std::vector<float> x;       // [examples, inputs], row-major
  std::vector<float> labels;  // [examples]: a class's index, or the target
};

/// Everything of a dataset version that a training needs.
struct FetchedDataset {
  data::v1::DatasetVersion version;
  schema::v1::Statistics train_statistics;
  Examples train;
  Examples validation;
  Examples test;
};

struct FetchOptions {
  // Bytes that the tensors of the three splits may take together. More takes the machine's memory.
  std::int64_t bytes_max = std::int64_t{4} << 30;

  // Longest time for a question about the dataset.
  std::chrono::milliseconds answer_timeout{10'000};

  // Longest time for one split's examples, beside a second for every MiB.
  std::chrono::milliseconds stream_timeout{600'000};

  // Goes with every call as the metadata `x-request-id`; empty: none.
  std::string request_id = {};
};

/// Reads `name` (`datasets/{dataset}/versions/{version}`) whole. Blocks; ends early with CANCELLED
/// when `stop` is requested.
///
/// A call that fails by something that passes (common/patience/passing.h) is made again as long as
/// `patience` says, a split that broke off from its beginning.
///
/// What comes is checked against what the version promises: counts, sizes, classes, finite numbers;
/// where they differ, DATA_LOSS. RESOURCE_EXHAUSTED when it would not fit `bytes_max`;
/// FAILED_PRECONDITION without a label or without train examples; else the data service's own
/// error.
absl::StatusOr<FetchedDataset> Fetch(data::v1::DataService::StubInterface& data_service,
                                     const std::string& name,
                                     const FetchOptions& options,
                                     Patience& patience,
                                     const std::stop_token& stop);

}  // namespace millrace::training
