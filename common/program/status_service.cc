#include "common/program/status_service.h"

#include <chrono>
#include <cstdint>
#include <utility>

#include <absl/status/status.h>
#include <google/protobuf/util/time_util.h>

#include "common/rpc/reply.h"
#include "common/version/version.h"

namespace millrace::program {

namespace {

google::protobuf::Timestamp TimeOf(const Clock& clock) {
  const std::chrono::nanoseconds since = clock.Now().time_since_epoch();
  return google::protobuf::util::TimeUtil::NanosecondsToTimestamp(
      static_cast<std::int64_t>(since.count()));
}

}  // namespace

rpc::Permissions StatusPermissions() {
  return {{"millrace.status.v1.StatusService/GetStatus", security::Permission::kReader}};
}

StatusService::StatusService(std::string service, const Clock& clock)
    : service_(std::move(service)),
      clock_(clock),
      start_time_(TimeOf(clock)) {}

grpc::ServerUnaryReactor* StatusService::GetStatus(grpc::CallbackServerContext* context,
                                                   const status::v1::GetStatusRequest* /*request*/,
                                                   status::v1::Status* response) {
  response->set_service(service_);
  response->set_version(std::string(Version()));
  response->set_build(std::string(BuildName()));
  *response->mutable_start_time() = start_time_;
  *response->mutable_time() = TimeOf(clock_);
  return rpc::Reply(*context, absl::OkStatus());
}

}  // namespace millrace::program
