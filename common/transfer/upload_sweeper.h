// UploadSweeper: removes expired uploads while nobody uploads.

#pragma once

#include <chrono>
#include <thread>

#include "common/transfer/upload_store.h"

namespace millrace::transfer {

/// A thread that calls Expire() of `store`, which outlives it, each `period`.
class UploadSweeper {
 public:
  explicit UploadSweeper(UploadStore& store,
                         std::chrono::milliseconds period = std::chrono::minutes(10));

 private:
  std::jthread thread_;
};

}  // namespace millrace::transfer
