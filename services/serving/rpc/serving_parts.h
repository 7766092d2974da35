// ServingParts: what the adapters of serving work with.

#pragma once

#include <cstdint>

#include <prometheus/registry.h>

#include "common/rpc/pool.h"
#include "common/transfer/idle_watch.h"
#include "common/transfer/upload_store.h"
#include "services/serving/pipeline/served_models.h"
#include "services/serving/rpc/compute_pool.h"

namespace millrace::serving {

/// Not owned; must outlive the server.
struct ServingParts {
  ServedModels& models;
  ComputePool& compute;  // predictions that are too large for a reactor
  rpc::Pool& disk;       // everything that waits: uploads and the catalog
  transfer::UploadStore& uploads;
  transfer::IdleWatch& idle;  // of the streams of uploads
  prometheus::Registry& metrics;
  std::int64_t rows_max = 4'096;                          // of one Predict or ModelInfer
  std::int64_t answer_bytes_max = std::int64_t{4} << 20;  // of their answers
};

}  // namespace millrace::serving
