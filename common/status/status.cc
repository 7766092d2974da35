#include "common/status/status.h"

#include <absl/strings/cord.h>
#include <absl/types/optional.h>

namespace millrace {

namespace {

constexpr char kFixUrl[] = "millrace/fix";

}  // namespace

absl::Status Annotate(const absl::Status& status, std::string_view context) {
  absl::Status annotated(status.code(), fmt::format("{}: {}", context, Message(status)));
  const std::string fix = Fix(status);
  return fix.empty() ? annotated : WithFix(std::move(annotated), fix);
}

absl::Status WithFix(absl::Status status, std::string_view fix) {
  status.SetPayload(kFixUrl, absl::Cord(std::string(fix)));
  return status;
}

std::string Fix(const absl::Status& status) {
  const auto payload = status.GetPayload(kFixUrl);
  return payload.has_value() ? std::string(*payload) : std::string();
}

}  // namespace millrace
