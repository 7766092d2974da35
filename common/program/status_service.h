// StatusService: what every service says of itself: version, build, clock and disk.

#pragma once

#include <string>

#include <google/protobuf/timestamp.pb.h>
#include <grpcpp/grpcpp.h>

#include "millrace/status/v1/status_service.grpc.pb.h"

#include "common/clock/clock.h"
#include "common/rpc/access.h"

namespace millrace::program {

/// Fills in what `status` says of the disk of `folder`, and whether state can be written there.
void DescribeDisk(const std::string& folder, status::v1::Status& status);

/// millrace.status.v1.StatusService of this program. Answers on gRPC's own thread, since it never
/// waits. Thread-safe.
class StatusService final : public status::v1::StatusService::CallbackService {
 public:
  /// `service` is "data", "training" or "serving"; it counts as started now. `folder` holds its
  /// state. `clock` must outlive this.
  StatusService(std::string service, std::string folder, const Clock& clock);

  static rpc::Permissions Permissions() {
    return rpc::DeclaredPermissions({status::v1::StatusService::service_full_name()});
  }

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const status::v1::GetStatusRequest* request,
                                      status::v1::Status* response) override;

 private:
  const std::string service_;
  const std::string folder_;
  const Clock& clock_;
  const google::protobuf::Timestamp start_time_;
};

}  // namespace millrace::program
