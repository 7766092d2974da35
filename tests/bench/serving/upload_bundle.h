// UploadBundle: a bundle to a serving service that is measured.

#pragma once

#include <string>
#include <string_view>

#include "millrace/serving/v1/serving_service.grpc.pb.h"

namespace millrace::serving {

/// Makes `bundle` the next version of `model` (`models/{model}`). Ends the process when serving
/// does not take it.
void UploadBundle(v1::ServingService::StubInterface& serving,
                  const std::string& model,
                  std::string_view bundle);

}  // namespace millrace::serving
