// Passing: which errors of another service pass by themselves.

#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace millrace {

/// Whether the same call may succeed later without anybody's doing: UNAVAILABLE, DEADLINE_EXCEEDED,
/// RESOURCE_EXHAUSTED, ABORTED and CANCELLED (a service that stops cancels its calls). Not a
/// message that is larger than one of the ends takes: it stays that large.
bool IsPassing(const absl::Status& status);

/// IsPassing(), or what an operator can mend without the caller: UNAUTHENTICATED and
/// PERMISSION_DENIED.
bool IsMendable(const absl::Status& status);

/// What to tell a person who waits for `service` ("the data service"): that it does not answer, or
/// its own words. Says the same for all ways of not answering, so that it changes only when
/// something has.
std::string WaitReason(std::string_view service, const absl::Status& status);

}  // namespace millrace
