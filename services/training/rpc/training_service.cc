#include "services/training/rpc/training_service.h"

#include <string>
#include <utility>

#include "common/resource/name.h"
#include "common/rpc/reply.h"
#include "common/status/status.h"
#include "services/training/rpc/create_run.h"
#include "services/training/rpc/watch_run.h"

namespace millrace::training {

namespace {

constexpr std::int32_t kPageSizeDefault = 100;
constexpr std::int32_t kPageSizeMax = 1000;

}  // namespace

grpc::ServerUnaryReactor* TrainingService::CreateRun(grpc::CallbackServerContext* context,
                                                     const v1::CreateRunRequest* request,
                                                     v1::Run* response) {
  return StartCreateRun(parts_, *context, *request, *response);
}

grpc::ServerUnaryReactor* TrainingService::GetRun(grpc::CallbackServerContext* context,
                                                  const v1::GetRunRequest* request,
                                                  v1::Run* response) {
  const absl::Status named = ParseRunName("name", request->name()).status();
  if (!named.ok()) {
    return rpc::Reply(*context, named);
  }
  return rpc::ReplyFrom(parts_.pool, *context, *response, [this, request] {
    return parts_.store.Get(request->name());
  });
}

grpc::ServerUnaryReactor* TrainingService::ListRuns(grpc::CallbackServerContext* context,
                                                    const v1::ListRunsRequest* request,
                                                    v1::ListRunsResponse* response) {
  if (request->page_size() < 0 || request->page_size() > kPageSizeMax) {
    return rpc::Reply(
        *context,
        InvalidArgument(
            "page_size must be in [0, {}], found {}", kPageSizeMax, request->page_size()));
  }
  return rpc::ReplyFrom(
      parts_.pool, *context, *response, [this, request]() -> absl::StatusOr<v1::ListRunsResponse> {
        const std::int32_t size =
            request->page_size() == 0 ? kPageSizeDefault : request->page_size();
        ASSIGN_OR_RETURN(RunStore::Page page, parts_.store.List(size, request->page_token()));
        v1::ListRunsResponse runs;
        for (v1::Run& run : page.runs) {
          *runs.add_runs() = std::move(run);
        }
        runs.set_next_page_token(std::move(page.next_page_token));
        return runs;
      });
}

grpc::ServerWriteReactor<v1::RunEvent>* TrainingService::WatchRun(
    grpc::CallbackServerContext* /*context*/,
    const v1::WatchRunRequest* request) {
  return StartWatchRun(parts_.store, parts_.pool, *request);
}

grpc::ServerUnaryReactor* TrainingService::CancelRun(grpc::CallbackServerContext* context,
                                                     const v1::CancelRunRequest* request,
                                                     v1::Run* response) {
  const absl::Status named = ParseRunName("name", request->name()).status();
  if (!named.ok()) {
    return rpc::Reply(*context, named);
  }
  return rpc::ReplyFrom(parts_.pool, *context, *response, [this, request] {
    return parts_.executor.Cancel(request->name());
  });
}

grpc::ServerUnaryReactor* TrainingService::PublishRun(grpc::CallbackServerContext* context,
                                                      const v1::PublishRunRequest* request,
                                                      v1::Run* response) {
  const absl::Status named = ParseRunName("name", request->name()).status();
  if (!named.ok()) {
    return rpc::Reply(*context, named);
  }
  return rpc::ReplyFrom(parts_.pool, *context, *response, [this, request] {
    return parts_.executor.Publish(request->name());
  });
}

grpc::ServerUnaryReactor* TrainingService::DeleteRun(grpc::CallbackServerContext* context,
                                                     const v1::DeleteRunRequest* request,
                                                     v1::DeleteRunResponse* response) {
  const absl::Status named = ParseRunName("name", request->name()).status();
  if (!named.ok()) {
    return rpc::Reply(*context, named);
  }
  return rpc::ReplyFrom(
      parts_.pool, *context, *response, [this, request]() -> absl::StatusOr<v1::DeleteRunResponse> {
        RETURN_IF_ERROR(parts_.executor.Delete(request->name()));
        return v1::DeleteRunResponse();
      });
}

}  // namespace millrace::training
