#include "common/status/status.h"

#include <absl/strings/cord.h>
#include <absl/types/optional.h>

namespace millrace {

namespace {

constexpr char kFixUrl[] = "millrace/fix";
constexpr char kRetryUrl[] = "millrace/retry";

}  // namespace

absl::Status Annotate(const absl::Status& status, std::string_view context) {
  return Reworded(status, fmt::format("{}: {}", context, Message(status)));
}

absl::Status Reworded(const absl::Status& status, std::string_view message) {
  absl::Status reworded(status.code(), {message.data(), message.size()});
  status.ForEachPayload(
      [&reworded](auto url, const absl::Cord& payload) { reworded.SetPayload(url, payload); });
  return reworded;
}

absl::Status WithFix(absl::Status status, std::string_view fix) {
  status.SetPayload(kFixUrl, absl::Cord(std::string(fix)));
  return status;
}

std::string Fix(const absl::Status& status) {
  const auto payload = status.GetPayload(kFixUrl);
  return payload.has_value() ? std::string(*payload) : std::string();
}

std::string MessageWithFix(const absl::Status& status) {
  const std::string fix = Fix(status);
  return std::string(Message(status)) + (fix.empty() ? "" : "; " + fix);
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
