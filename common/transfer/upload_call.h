// UploadCall: an upload that goes on by itself where its stream broke.
//
//     const transfer::UploadCall<UploadModelRequest, ModelVersion> call{
//         .header = request,
//         .open = [&](auto* context, auto* response) { return stub.UploadModel(context, response);
//         }, .ask = [&](auto* context, const auto& request, auto* response) {
//           return stub.GetUpload(context, request, response);
//         }};
//     const absl::StatusOr<ModelVersion> version = transfer::SendUpload(call, source, {}, stop);

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/sync_stream.h>

#include "millrace/transfer/v1/transfer.pb.h"

#include "common/clock/random.h"
#include "common/rpc/channel.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/transfer/sender.h"

namespace millrace::transfer {

/// What a service calls its uploads. A `Request` is a header with an `upload_id`, a chunk or a
/// close.
template <typename Request, typename Response>
struct UploadCall {
  Request header;  // SendUpload() names the upload where this does not
  std::function<std::unique_ptr<grpc::ClientWriterInterface<Request>>(grpc::ClientContext*,
                                                                      Response*)>
      open;
  std::function<grpc::Status(grpc::ClientContext*, const v1::GetUploadRequest&, v1::Upload*)> ask;
};

/// How long to try, and whom to tell. All functions may be empty.
struct UploadOptions {
  // Longest time for everything together.
  std::chrono::milliseconds timeout = std::chrono::hours(6);

  // Attempts in a row that bring the upload no byte further before it is given up, and the wait
  // before the first of them, which doubles up to 2 s: about half a minute.
  int attempts_max = 20;
  std::chrono::milliseconds first_wait{100};

  // Sees the context of each call before it is made.
  std::function<void(grpc::ClientContext&)> prepare = {};

  // The stream has taken so many bytes of the whole; the whole.
  std::function<void(std::int64_t)> on_sent = {};
  std::function<void()> on_closed = {};

  // The stream broke, once for all attempts in a row; it goes on, from this offset.
  std::function<void(const absl::Status&)> on_break = {};
  std::function<void(std::int64_t)> on_resume = {};
};

/// The loop behind SendUpload(). `attempt` sends from an offset on, `received` says where to go on;
/// both get the time that is left. Ends with the first attempt that is OK or fails with something
/// else than UNAVAILABLE, CANCELLED (a service that stops cancels its calls) and DEADLINE_EXCEEDED
/// (it ends streams that are idle), or with its last
/// error when `options` allow no further one. CANCELLED once `stop` is requested.
absl::Status SendWithResumes(
    const std::function<absl::Status(std::int64_t, std::chrono::milliseconds)>& attempt,
    const std::function<absl::StatusOr<std::int64_t>(std::chrono::milliseconds)>& received,
    const UploadOptions& options,
    const std::stop_token& stop);

/// A context with its deadline, cancelled by a wish to stop.
class UploadContext {
 public:
  UploadContext(const UploadOptions& options,
                std::chrono::milliseconds timeout,
                const std::stop_token& stop)
      : on_stop_(stop, [this] { context_.TryCancel(); }) {
    rpc::SetDeadline(context_, timeout);
    if (options.prepare) {
      options.prepare(context_);
    }
  }

  grpc::ClientContext* get() { return &context_; }

 private:
  grpc::ClientContext context_;
  std::stop_callback<std::function<void()>> on_stop_;
};

/// Uploads `source` under the name in its header, or a random one, and returns the service's
/// answer. Blocks. When the stream breaks, asks how far the upload came and goes on there; from the
/// start where the service has nothing of it. Errors: those of SendWithResumes(), of the service
/// and of `source`.
template <typename Request, typename Response>
absl::StatusOr<Response> SendUpload(UploadCall<Request, Response> call,
                                    Source source,
                                    const UploadOptions& options,
                                    const std::stop_token& stop) {
  v1::GetUploadRequest named;
  named.set_upload_id(call.header.header().upload_id());
  if (named.upload_id().empty()) {
    named.set_upload_id(RandomHex(16));
    call.header.mutable_header()->set_upload_id(named.upload_id());
  }
  Sender sender(std::move(source));
  Response response;
  const auto attempt = [&](std::int64_t offset, std::chrono::milliseconds timeout) {
    UploadContext context(options, timeout, stop);
    response.Clear();
    const auto stream = call.open(context.get(), &response);
    Request request;
    const auto send_chunk = [&](v1::Chunk chunk) {
      const std::int64_t sent = chunk.offset() + static_cast<std::int64_t>(chunk.data().size());
      request.mutable_chunk()->Swap(&chunk);
      if (options.on_sent) {
        options.on_sent(sent);
      }
      return stream->Write(request);
    };
    const auto send_close = [&](v1::Close close) {
      request.mutable_close()->Swap(&close);
      if (options.on_closed) {
        options.on_closed();
      }
      return stream->Write(request);
    };
    absl::Status sent;
    if (stream->Write(call.header)) {
      sent = sender.SendFrom(offset, send_chunk, send_close);
    }
    if (!sent.ok()) {
      context.get()->TryCancel();
    }
    stream->WritesDone();
    const absl::Status ended = FromGrpcStatus(stream->Finish());
    return sent.ok() ? ended : sent;
  };
  const auto received = [&](std::chrono::milliseconds timeout) -> absl::StatusOr<std::int64_t> {
    UploadContext context(options, timeout, stop);
    v1::Upload upload;
    const absl::Status asked = FromGrpcStatus(call.ask(context.get(), named, &upload));
    if (absl::IsNotFound(asked) || absl::IsUnimplemented(asked)) {
      return 0;
    }
    RETURN_IF_ERROR(asked);
    return upload.received_bytes();
  };
  RETURN_IF_ERROR(SendWithResumes(attempt, received, options, stop));
  return response;
}

}  // namespace millrace::transfer
