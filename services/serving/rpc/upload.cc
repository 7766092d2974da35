#include "services/serving/rpc/upload.h"

#include "common/resource/name.h"
#include "common/rpc/access.h"
#include "common/rpc/caught.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::serving {

Upload::Upload(const ServingParts& parts,
               grpc::CallbackServerContext& context,
               v1::ModelVersion& response)
    : parts_(parts),
      context_(context),
      response_(response),
      stream_(parts.idle,
              [this](const absl::Status& idle) { OnDisk([this, idle] { End(idle); }); }) {
  Read();
}

void Upload::Read() {
  stream_.Waits();
  StartRead(&message_);  // last: the next message may be here before this returns
}

void Upload::OnDisk(std::function<void()> step) {
  const absl::Status submitted = parts_.disk.Submit(std::move(step));
  if (!submitted.ok()) {
    End(submitted);
  }
}

void Upload::OnReadDone(bool ok) {
  if (!stream_.Came()) {
    return;
  }
  OnDisk([this, ok] {
    if (ok) {
      Step();
    } else if (context_.IsCancelled()) {
      End(Cancelled("the upload was cancelled"));
    } else {
      End(InvalidArgument("the upload ended before its close, after {} bytes",
                          upload_ != nullptr ? upload_->size_bytes() : 0));
    }
  });
}

void Upload::Step() {
  const bool is_last = message_.has_close();
  const absl::Status status = rpc::Caught([this] { return Take(); });
  if (is_last || !status.ok()) {
    End(status);
    return;
  }
  Read();
}

absl::Status Upload::Take() {
  if (message_.has_header()) {
    return TakeHeader(message_.header());
  }
  if (upload_ == nullptr) {
    return InvalidArgument("an upload must begin with its header");
  }
  if (message_.has_chunk()) {
    return upload_->Take(message_.chunk());
  }
  if (message_.has_close()) {
    return TakeClose(message_.close());
  }
  return InvalidArgument("a message of an upload must be a header, a chunk or a close");
}

absl::Status Upload::TakeHeader(const v1::UploadHeader& header) {
  if (upload_ != nullptr) {
    return InvalidArgument("an upload has one header, found a second");
  }
  ASSIGN_OR_RETURN(const VersionedName name,
                   ParseVersionedName("models", "header.model", header.model()));
  if (name.version != 0 || !name.sha256.empty()) {
    return InvalidArgument("header.model must be models/{{model}}: serving numbers the versions");
  }
  model_ = name.id;
  ASSIGN_OR_RETURN(
      upload_,
      parts_.uploads.Begin(header.upload_id(),
                           header,
                           {.subject = header.model(), .caller = rpc::Caller(context_)}));
  return absl::OkStatus();
}

absl::Status Upload::TakeClose(const transfer::v1::Close& close) {
  RETURN_IF_ERROR(upload_->Finish(close).status());
  if (context_.IsCancelled()) {
    return Cancelled("the upload was cancelled");
  }
  ASSIGN_OR_RETURN(const auto file, upload_->OpenBytes());
  ASSIGN_OR_RETURN(const std::string bytes, file->Read(0, file->size()));
  ASSIGN_OR_RETURN(response_, parts_.models.Add(model_, bytes, rpc::Caller(context_)));
  return absl::OkStatus();
}

void Upload::End(const absl::Status& status) {
  if (upload_ != nullptr) {
    upload_->Answer(status);
  }
  upload_.reset();
  Finish(ToGrpcStatus(status));  // last: this object may be gone when it returns
}

}  // namespace millrace::serving
