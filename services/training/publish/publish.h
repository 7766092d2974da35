// Publish: a bundle to the serving service, where it becomes a model version.

#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "millrace/serving/v1/serving_service.grpc.pb.h"

namespace millrace::training {

struct PublishOptions {
  // Longest time for all attempts together. More waits longer for a serving service that is away.
  std::chrono::milliseconds timeout{120'000};

  // Wait after the first attempt; doubles with each, up to 2 s.
  std::chrono::milliseconds first_wait{100};

  // Goes with every attempt as the metadata `x-request-id`; empty: none.
  std::string request_id = {};
};

/// Sends the bytes of a bundle as the next version of `model` (`models/{model}`), in chunks closed
/// by their SHA-256. Blocks.
///
/// Goes on from where serving has it while the call breaks and time is left (transfer::SendUpload);
/// that is safe because serving knows a bundle by its digest and returns the existing version.
/// Other errors are serving's own, with what was being done in front. CANCELLED when `stop` is
/// requested.
absl::StatusOr<serving::v1::ModelVersion> Publish(
    serving::v1::ServingService::StubInterface& serving_service,
    const std::string& model,
    std::string_view bundle,
    const PublishOptions& options,
    const std::stop_token& stop);

}  // namespace millrace::training
