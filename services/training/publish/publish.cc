#include "services/training/publish/publish.h"

#include <cstdint>

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include "common/model/signature.h"
#include "common/rpc/channel.h"
#include "common/rpc/request_id.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "common/transfer/upload_call.h"
#include "services/training/publish/trained_files.h"

namespace millrace::training {

namespace {

using serving::v1::ModelVersion;
using serving::v1::UploadHeader;
using serving::v1::UploadModelRequest;
using Stub = serving::v1::ServingService::StubInterface;

// Breaks in a row after which the attempt ends; the next one is whoever called us to make.
constexpr int kBreaksMax = 5;

constexpr std::int64_t kUploadBytesPerSecond = std::int64_t{8} << 20;

absl::Status Ask(Stub& serving_service,
                 const UploadHeader& header,
                 const transfer::UploadOptions& options,
                 std::chrono::milliseconds timeout,
                 const std::stop_token& stop) {
  transfer::UploadContext context(options, timeout, stop);
  context.get()->set_wait_for_ready(false);  // to be away is an answer
  serving::v1::CheckModelRequest request;
  *request.mutable_header() = header;
  serving::v1::CheckModelResponse response;
  const absl::Status answer =
      FromGrpcStatus(serving_service.CheckModel(context.get(), request, &response));
  return absl::IsUnimplemented(answer) ? absl::OkStatus() : answer;
}

absl::StatusOr<ModelVersion> Send(Stub& serving_service,
                                  const UploadHeader& header,
                                  const TrainedFiles& trained,
                                  const transfer::UploadOptions& options,
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
  *call.header.mutable_header() = header;
  const auto source = [&trained](std::int64_t offset, std::int64_t size) {
    return trained.bundle->Read(offset, size);
  };
  return transfer::SendUpload(std::move(call), source, options, stop);
}

absl::StatusOr<ModelVersion> Attempt(Stub& serving_service,
                                     const Publication& publication,
                                     const PublishOptions& options,
                                     const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const TrainedFiles trained,
                   OpenTrained(storage::PosixFileSystem(), publication.folder));
  UploadHeader header;
  header.set_model(publication.model);
  header.set_no_traffic(publication.no_traffic);
  header.set_upload_id(publication.upload_id);
  header.set_size_bytes(trained.facts.size_bytes());
  *header.mutable_signature() = model::SignatureOf(trained.facts.transforms());
  const transfer::UploadOptions upload{
      .timeout = options.upload_timeout +
                 std::chrono::seconds(trained.facts.size_bytes() / kUploadBytesPerSecond),
      .attempts_max = kBreaksMax,
      .prepare = [&publication](grpc::ClientContext& context) {
        rpc::SetRequestId(context, publication.request_id);
      }};
  RETURN_IF_ERROR(Ask(serving_service, header, upload, options.answer_timeout, stop));
  RETURN_IF_ERROR(VerifyTrained(trained));
  return Send(serving_service, header, trained, upload, stop);
}

}  // namespace

absl::StatusOr<std::string> Publish(Stub& serving_service,
                                    const Publication& publication,
                                    const PublishOptions& options,
                                    const std::stop_token& stop) {
  const absl::StatusOr<ModelVersion> version = Attempt(serving_service, publication, options, stop);
  if (version.ok()) {
    return version->name();
  }
  if (stop.stop_requested()) {
    return Cancelled("publishing {} was stopped", publication.model);
  }
  return Annotate(version.status(),
                  fmt::format("publishing {} to the serving service", publication.model));
}

}  // namespace millrace::training
