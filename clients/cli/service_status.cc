#include "clients/cli/service_status.h"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "clients/cli/failure.h"
#include "clients/cli/spelling.h"
#include "common/status/status.h"
#include "common/version/version.h"

namespace millrace::cli {

namespace {

using Seconds = std::chrono::duration<double>;  // any time that a peer may send fits

// `0.1` of `0.1.0`.
std::string_view MajorAndMinor(std::string_view version) {
  const std::size_t point = version.find('.');
  return point == std::string_view::npos ? version
                                         : version.substr(0, version.find('.', point + 1));
}

}  // namespace

absl::StatusOr<ServiceStatus> AskStatus(Connection& connection,
                                        Service service,
                                        const Clock& clock) {
  // Before the time is taken: connecting takes long.
  ASSIGN_OR_RETURN(StatusStub* const stub, connection.StatusOf(service));
  const Seconds here = clock.Now().time_since_epoch();
  const auto begin = std::chrono::steady_clock::now();
  const status::v1::GetStatusRequest request;
  ASSIGN_OR_RETURN(
      const status::v1::Status told,
      connection.Call(absl::StatusOr<StatusStub*>(stub), &StatusStub::GetStatus, request));
  const Seconds half = Seconds(std::chrono::steady_clock::now() - begin) / 2;
  const Seconds there(static_cast<double>(told.time().seconds()) +
                      static_cast<double>(told.time().nanos()) / 1e9);
  return ServiceStatus{.told = told, .ahead = there - (here + half), .uncertain = half};
}

absl::Status CheckRelease(const ServiceStatus& status) {
  if (MajorAndMinor(status.told.version()) == MajorAndMinor(Version())) {
    return absl::OkStatus();
  }
  return WithFix(
      FailedPrecondition(
          "it has version {}, and this command {}", Printable(status.told.version()), Version()),
      "use a command and services of one release");
}

absl::Status CheckStateDisk(const ServiceStatus& status) {
  constexpr std::int64_t kFreeMin = 256'000'000;
  const status::v1::Status& told = status.told;
  if (!told.cannot_write().empty()) {
    return WithFix(
        ResourceExhausted("it cannot write its state, so that it only answers what it has: "
                          "{}",
                          Printable(told.cannot_write())),
        "make room on its disk, or let its user write there; it goes on by itself");
  }
  if (told.has_disk_free_bytes() && told.disk_free_bytes() < kFreeMin) {
    return WithFix(ResourceExhausted("its disk has {} of {} free",
                                     SpellBytes(told.disk_free_bytes()),
                                     SpellBytes(told.disk_total_bytes())),
                   "make room; 'millrace upload ls' shows what unfinished uploads take");
  }
  return absl::OkStatus();
}

absl::Status CheckClocks(const ServiceStatus& status) {
  const double apart = std::abs(status.ahead.count());
  if (apart <= Seconds(kClocksApartMax).count() + status.uncertain.count()) {
    return absl::OkStatus();
  }
  return WithFix(FailedPrecondition("its clock is {:.1f} s {} this machine's, more than {} s",
                                    apart,
                                    status.ahead.count() > 0 ? "ahead of" : "behind",
                                    kClocksApartMax.count()),
                 "keep both clocks by NTP, and set the one that is wrong");
}

}  // namespace millrace::cli
