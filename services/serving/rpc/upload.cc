#include "services/serving/rpc/upload.h"

#include "common/resource/name.h"
#include "common/rpc/access.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::serving {

Upload::Upload(const ServingParts& parts,
               std::atomic<int>& open,
               grpc::CallbackServerContext& context,
               v1::ModelVersion& response)
    : parts_(parts),
      open_(open),
      context_(context),
      response_(response),
      receiver_(parts.upload_bytes_max,
                [this](std::string_view bytes) { return file_->Append(bytes); }) {
  if (++open_ > parts_.uploads_max) {
    Finish(ToGrpcStatus(WithFix(
        ResourceExhausted("{} uploads are open already", parts_.uploads_max), "try again later")));
    return;
  }
  StartRead(&message_);
}

void Upload::OnReadDone(bool ok) {
  if (!ok) {
    Finish(ToGrpcStatus(InvalidArgument("the upload ended before its close, after {} bytes",
                                        receiver_.size_bytes())));
    return;
  }
  if (const absl::Status refused = parts_.disk.Submit([this] { Step(); }); !refused.ok()) {
    Finish(ToGrpcStatus(refused));
  }
}

void Upload::Step() {
  const bool is_last = message_.has_close();
  const absl::Status status = Take();
  if (is_last || !status.ok()) {
    Finish(ToGrpcStatus(status));
    return;
  }
  StartRead(&message_);
}

absl::Status Upload::Take() {
  if (message_.has_header()) {
    return TakeHeader(message_.header());
  }
  if (file_ == nullptr) {
    return InvalidArgument("an upload must begin with its header");
  }
  if (message_.has_chunk()) {
    return receiver_.Take(message_.chunk());
  }
  if (message_.has_close()) {
    return TakeClose(message_.close());
  }
  return InvalidArgument("a message of an upload must be a header, a chunk or a close");
}

absl::Status Upload::TakeHeader(const v1::UploadHeader& header) {
  if (file_ != nullptr) {
    return InvalidArgument("an upload has one header, found a second");
  }
  ASSIGN_OR_RETURN(const VersionedName name,
                   ParseVersionedName("models", "header.model", header.model()));
  if (name.version != 0 || !name.sha256.empty()) {
    return InvalidArgument("header.model must be models/{{model}}: serving numbers the versions");
  }
  model_ = name.id;
  ASSIGN_OR_RETURN(file_, parts_.repository.Stage());
  return absl::OkStatus();
}

absl::Status Upload::TakeClose(const transfer::v1::Close& close) {
  RETURN_IF_ERROR(receiver_.Finish(close).status());
  RETURN_IF_ERROR(file_->Close());
  if (context_.IsCancelled()) {
    return Cancelled("the upload was cancelled");
  }
  ASSIGN_OR_RETURN(const std::string bytes, parts_.repository.ReadStaged(*file_));
  ASSIGN_OR_RETURN(response_, parts_.models.Add(model_, bytes, rpc::Caller(context_)));
  return absl::OkStatus();
}

}  // namespace millrace::serving
