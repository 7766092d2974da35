#include "services/training/publish/publish.h"

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "common/rpc/channel.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/transfer/transfer.h"

namespace millrace::training {

namespace {

using serving::v1::ModelVersion;
using serving::v1::UploadModelRequest;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kWaitMax{2'000};

using Stub = serving::v1::ServingService::StubInterface;

// The stream of one attempt.
absl::Status SendBundle(grpc::ClientWriterInterface<UploadModelRequest>& stream,
                        const std::string& model,
                        std::string_view bundle) {
  UploadModelRequest header;
  header.mutable_header()->set_model(model);
  if (!stream.Write(header)) {
    return absl::OkStatus();  // the call's own status tells why
  }
  std::size_t offset = 0;
  const auto read = [&](std::int64_t size) -> absl::StatusOr<std::string> {
    const std::string_view part = bundle.substr(offset, static_cast<std::size_t>(size));
    offset += part.size();
    return std::string(part);
  };
  const auto send_chunk = [&](const transfer::v1::Chunk& chunk) {
    UploadModelRequest request;
    *request.mutable_chunk() = chunk;
    return stream.Write(request);
  };
  const auto send_close = [&](const transfer::v1::Close& close) {
    UploadModelRequest request;
    *request.mutable_close() = close;
    return stream.Write(request);
  };
  return transfer::Send(read, send_chunk, send_close);
}

absl::StatusOr<ModelVersion> Attempt(Stub& serving_service,
                                     const std::string& model,
                                     std::string_view bundle,
                                     const PublishOptions& options,
                                     const std::stop_token& stop) {
  grpc::ClientContext context;
  rpc::SetDeadline(context, options.timeout);
  if (!options.request_id.empty()) {
    context.AddMetadata("x-request-id", options.request_id);
  }
  const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
  ModelVersion version;
  const auto stream = serving_service.UploadModel(&context, &version);
  const absl::Status sent = SendBundle(*stream, model, bundle);
  if (!sent.ok()) {
    context.TryCancel();
  }
  stream->WritesDone();
  const grpc::Status status = stream->Finish();
  RETURN_IF_ERROR(sent);
  RETURN_IF_ERROR(FromGrpcStatus(status));
  return version;
}

// Returns early when `stop` is requested.
void Wait(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait_for(lock, stop, time, [] { return false; });
}

}  // namespace

absl::StatusOr<ModelVersion> Publish(Stub& serving_service,
                                     const std::string& model,
                                     std::string_view bundle,
                                     const PublishOptions& options,
                                     const std::stop_token& stop) {
  const auto end = steady_clock::now() + options.timeout;
  milliseconds wait = options.first_wait;
  PublishOptions attempt = options;
  while (true) {
    const auto left = std::chrono::duration_cast<milliseconds>(end - steady_clock::now());
    attempt.timeout = std::max(left, milliseconds{1});
    absl::StatusOr<ModelVersion> version = Attempt(serving_service, model, bundle, attempt, stop);
    if (version.ok()) {
      return version;
    }
    if (stop.stop_requested()) {
      return Cancelled("publishing {} was stopped", model);
    }
    if (!absl::IsUnavailable(version.status()) || steady_clock::now() + wait >= end) {
      return Annotate(version.status(), fmt::format("publishing {} to the serving service", model));
    }
    Wait(wait, stop);
    wait = std::min(wait * 2, kWaitMax);
  }
}

}  // namespace millrace::training
