#include "common/status/grpc_status.h"

#include <string>

#include "common/status/place.h"
#include "common/status/status.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace millrace {

namespace {

constexpr std::size_t kTextBytesMax = 1024;

static_assert(static_cast<int>(absl::StatusCode::kUnauthenticated) ==
              static_cast<int>(grpc::StatusCode::UNAUTHENTICATED));

// Cuts at a character's boundary, so that the text stays UTF-8.
std::string Cut(std::string_view text) {
  if (text.size() <= kTextBytesMax) {
    return std::string(text);
  }
  std::size_t end = kTextBytesMax - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) {
    return grpc::Status::OK;
  }
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message = Cut(MessageWithoutPlace(status));
  google::rpc::Status details;
  details.set_code(static_cast<int>(code));
  details.set_message(message);  // where Go and Java look for the text
  if (const std::string fix = Fix(status); !fix.empty()) {
    google::rpc::Help help;
    help.add_links()->set_description(Cut(fix));
    details.add_details()->PackFrom(help);
  }
  if (const auto wait = RetryAfter(status); wait.has_value()) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(wait->count());
    details.add_details()->PackFrom(retry);
  }
  return {code, message, details.SerializeAsString()};
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) {
    return result;
  }
  for (const auto& detail : details.details()) {
    google::rpc::Help help;
    google::rpc::RetryInfo retry;
    if (detail.UnpackTo(&help) && help.links_size() > 0) {
      result = WithFix(std::move(result), help.links(0).description());
    } else if (detail.UnpackTo(&retry)) {
      result = WithRetry(std::move(result), std::chrono::seconds(retry.retry_delay().seconds()));
    }
  }
  return result;
}

}  // namespace millrace
