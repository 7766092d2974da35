// Upload: one UploadModel stream.

#pragma once

#include <functional>
#include <memory>

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "common/transfer/idle_watch.h"
#include "common/transfer/upload_store.h"
#include "services/serving/rpc/serving_service.h"

namespace millrace::serving {

/// Takes a header, chunks and a close, and makes a version of them. Each message is worked on by
/// the disk pool, and the next one read only afterwards, so a fast sender waits for a slow disk.
/// An unnamed upload is gone before the client hears how it ended; a named one stays where it may
/// go on (transfer::UploadStore). Deletes itself when the call is done.
class Upload final : public grpc::ServerReadReactor<v1::UploadModelRequest> {
 public:
  Upload(const ServingParts& parts,
         grpc::CallbackServerContext& context,
         v1::ModelVersion& response);

  void OnReadDone(bool ok) override;

  void OnDone() override { delete this; }

 private:
  void Read();
  void OnDisk(std::function<void()> step);

  // Works on message_; on the disk pool.
  void Step();
  absl::Status Take();
  absl::Status TakeHeader(const v1::UploadHeader& header);
  absl::Status TakeClose(const transfer::v1::Close& close);
  void End(const absl::Status& status);

  ServingParts parts_;
  grpc::CallbackServerContext& context_;
  v1::ModelVersion& response_;
  v1::UploadModelRequest message_;
  v1::UploadHeader header_;
  std::unique_ptr<transfer::UploadStore::Incoming> upload_;  // set by the header
  transfer::IdleWatch::Stream stream_;  // last: it may end the call while the others live
};

}  // namespace millrace::serving
