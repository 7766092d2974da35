#include "services/training/publish/publish.h"

#include <cstddef>
#include <cstdint>

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include "common/rpc/request_id.h"
#include "common/status/status.h"
#include "common/transfer/upload_call.h"

namespace millrace::training {

namespace {

using serving::v1::ModelVersion;
using serving::v1::UploadModelRequest;

// The time bounds an upload; this only one that serving refuses at once, for minutes.
constexpr int kAttemptsMax = 100;

}  // namespace

absl::StatusOr<ModelVersion> Publish(serving::v1::ServingService::StubInterface& serving_service,
                                     const std::string& model,
                                     std::string_view bundle,
                                     const PublishOptions& options,
                                     const std::stop_token& stop) {
  transfer::UploadCall<UploadModelRequest, ModelVersion> call{
      .header = {},
      .open = [&](grpc::ClientContext* context,
                  ModelVersion* version) { return serving_service.UploadModel(context, version); },
      .ask =
          [&](grpc::ClientContext* context,
              const transfer::v1::GetUploadRequest& request,
              transfer::v1::Upload* upload) {
            return serving_service.GetUpload(context, request, upload);
          }};
  call.header.mutable_header()->set_model(model);
  const auto source = [bundle](std::int64_t offset, std::int64_t size) {
    return std::string(
        bundle.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(size)));
  };
  const auto prepare = [&options](grpc::ClientContext& context) {
    rpc::SetRequestId(context, options.request_id);
  };
  absl::StatusOr<ModelVersion> version = transfer::SendUpload(std::move(call),
                                                              source,
                                                              {.timeout = options.timeout,
                                                               .attempts_max = kAttemptsMax,
                                                               .first_wait = options.first_wait,
                                                               .prepare = prepare},
                                                              stop);
  if (version.ok()) {
    return version;
  }
  if (stop.stop_requested()) {
    return Cancelled("publishing {} was stopped", model);
  }
  return Annotate(version.status(), fmt::format("publishing {} to the serving service", model));
}

}  // namespace millrace::training
