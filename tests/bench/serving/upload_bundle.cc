#include "tests/bench/serving/upload_bundle.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "common/status/check.h"
#include "common/transfer/upload_call.h"

namespace millrace::serving {

void UploadBundle(v1::ServingService::StubInterface& serving,
                  const std::string& model,
                  std::string_view bundle) {
  transfer::UploadCall<v1::UploadModelRequest, v1::ModelVersion> call{
      .header = {},
      .open = [&](grpc::ClientContext* context,
                  v1::ModelVersion* version) { return serving.UploadModel(context, version); },
      .ask =
          [&](grpc::ClientContext* context,
              const transfer::v1::GetUploadRequest& request,
              transfer::v1::Upload* upload) {
            return serving.GetUpload(context, request, upload);
          }};
  call.header.mutable_header()->set_model(model);
  const auto source = [bundle](std::int64_t offset, std::int64_t size) {
    return std::string(
        bundle.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(size)));
  };
  CHECK(transfer::SendUpload(std::move(call), source, {}, {}).ok());
}

}  // namespace millrace::serving
