#include "common/status/status.h"

#include <absl/strings/cord.h>
#include <absl/types/optional.h>

namespace millrace {

namespace {

constexpr char kFixUrl[] = "millrace/fix";
constexpr char kRetryUrl[] = "millrace/retry";

}  // namespace

absl::Status Annotate(const absl::Status& status, std::string_view context) {
  absl::Status annotated(status.code(), fmt::format("{}: {}", context, Message(status)));
  status.ForEachPayload(
      [&annotated](auto url, const absl::Cord& payload) { annotated.SetPayload(url, payload); });
  return annotated;
}

absl::Status WithFix(absl::Status status, std::string_view fix) {
  status.SetPayload(kFixUrl, absl::Cord(std::string(fix)));
  return status;
}

std::string Fix(const absl::Status& status) {
  const auto payload = status.GetPayload(kFixUrl);
  return payload.has_value() ? std::string(*payload) : std::string();
}

absl::Status WithRetry(absl::Status status, std::chrono::seconds wait) {
  status.SetPayload(kRetryUrl, absl::Cord(std::to_string(wait.count())));
  return status;
}

std::optional<std::chrono::seconds> RetryAfter(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryUrl);
  if (!payload.has_value()) {
    return std::nullopt;
  }
  return std::chrono::seconds(std::stoll(std::string(*payload)));
}

}  // namespace millrace
