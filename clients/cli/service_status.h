// ServiceStatus: what a service says of itself, and whether that fits this command.

#pragma once

#include <chrono>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/status/v1/status_service.pb.h"

#include "clients/cli/connection.h"
#include "common/clock/clock.h"

namespace millrace::cli {

/// How far a service's clock may be from this machine's before `doctor` calls it wrong.
/// Certificates and what is compared by its time bear a few seconds.
constexpr std::chrono::seconds kClocksApartMax{5};

/// What a service told, and how its clock stands to this machine's.
struct ServiceStatus {
  status::v1::Status told;
  std::chrono::duration<double> ahead{0};      // of this machine's clock; negative: behind it
  std::chrono::duration<double> uncertain{0};  // half the round trip: so much `ahead` may be wrong
};

/// Asks `service`, with `clock` as this machine's. UNIMPLEMENTED when it is too old to tell.
absl::StatusOr<ServiceStatus> AskStatus(Connection& connection,
                                        Service service,
                                        const Clock& clock);

/// FAILED_PRECONDITION when the release differs from this command's in its major or minor number.
absl::Status CheckRelease(const ServiceStatus& status);

/// FAILED_PRECONDITION when the clocks are more than kClocksApartMax apart, whatever the round trip
/// hides.
absl::Status CheckClocks(const ServiceStatus& status);

/// RESOURCE_EXHAUSTED when the service cannot write its state, or has little room left for it. OK
/// for a service that does not tell.
absl::Status CheckStateDisk(const ServiceStatus& status);

}  // namespace millrace::cli
