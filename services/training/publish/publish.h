// Publish: a trained bundle to the serving service, where it becomes a model version.

#pragma once

#include <chrono>
#include <stop_token>
#include <string>

#include <absl/status/statusor.h>

#include "millrace/serving/v1/serving_service.grpc.pb.h"

namespace millrace::training {

/// What is published as what.
struct Publication {
  std::string folder;           // of the run, with its trained files (trained_files.h)
  std::string model;            // `models/{model}`
  bool no_traffic = false;      // see UploadHeader
  std::string request_id = {};  // goes with every call as the metadata `x-request-id`

  // Names the upload; empty: a random name. Attempts that share it take one place in serving, also
  // where it had no room for the model and kept what it received.
  std::string upload_id = {};
};

struct PublishOptions {
  // Longest time for serving's answer to whether it would take the bundle.
  std::chrono::milliseconds answer_timeout{10'000};

  // Longest time for the upload, beside a second for every 8 MiB.
  std::chrono::milliseconds upload_timeout{120'000};
};

/// One attempt: asks serving whether it would take the bundle, and sends it, in chunks closed by
/// their SHA-256, going on where a stream breaks. Returns the version's name. Blocks.
///
/// May be repeated: serving knows a bundle by its digest and returns the existing version. Errors
/// are serving's own, with what was being done in front, or those of trained_files.h. CANCELLED
/// when `stop` is requested.
absl::StatusOr<std::string> Publish(serving::v1::ServingService::StubInterface& serving_service,
                                    const Publication& publication,
                                    const PublishOptions& options,
                                    const std::stop_token& stop);

}  // namespace millrace::training
