#include "common/program/status_service.h"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <google/protobuf/util/time_util.h>
#include <sys/statvfs.h>
#include <unistd.h>

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

void DescribeDisk(const std::string& folder, status::v1::Status& status) {
  struct statvfs disk {};

  if (statvfs(folder.c_str(), &disk) != 0) {
    status.set_cannot_write(std::strerror(errno));
    return;
  }
  const auto block = static_cast<std::int64_t>(disk.f_frsize);
  status.set_disk_free_bytes(static_cast<std::int64_t>(disk.f_bavail) * block);
  status.set_disk_total_bytes(static_cast<std::int64_t>(disk.f_blocks) * block);
  if (disk.f_bavail == 0) {
    status.set_cannot_write(std::strerror(ENOSPC));
  } else if (disk.f_files > 0 && disk.f_favail == 0) {
    status.set_cannot_write("the disk has no room for another file");
  } else if (access(folder.c_str(), W_OK) != 0) {
    status.set_cannot_write(std::strerror(errno));
  }
}

StatusService::StatusService(std::string service, std::string folder, const Clock& clock)
    : service_(std::move(service)),
      folder_(std::move(folder)),
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
  DescribeDisk(folder_, *response);
  return rpc::Reply(*context, absl::OkStatus());
}

}  // namespace millrace::program
