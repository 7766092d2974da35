#include "common/patience/passing.h"

#include "common/status/status.h"

namespace millrace {

bool IsPassing(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
      return true;
    case absl::StatusCode::kResourceExhausted:
      // gRPC's own words on both ends; it has no code for it.
      return Message(status).find("message larger than max") == std::string_view::npos;
    default:
      return false;
  }
}

bool IsMendable(const absl::Status& status) {
  return IsPassing(status) || absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status);
}

std::string WaitReason(std::string_view service, const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return fmt::format("{} does not answer", service);
    default:
      return fmt::format("{} says: {}", service, Message(status));
  }
}

}  // namespace millrace
