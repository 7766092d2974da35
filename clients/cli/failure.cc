#include "clients/cli/failure.h"

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/strings/cord.h>
#include <fmt/core.h>

#include "common/status/status.h"

namespace millrace::cli {

namespace {

// Marks an INVALID_ARGUMENT as one about words on the command line.
constexpr const char* kUsageMark = "millrace.dev/usage";

bool IsUsage(const absl::Status& status) {
  return status.GetPayload(kUsageMark).has_value();
}

}  // namespace

absl::Status UsageError(std::string_view message, std::string_view fix) {
  absl::Status status = WithFix(InvalidArgument("{}", message), fix);
  status.SetPayload(kUsageMark, absl::Cord("1"));
  return status;
}

Exit ExitFor(const absl::Status& status, bool interrupted) {
  if (IsUsage(status)) {
    return Exit::kUsage;
  }
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return Exit::kDone;
    case absl::StatusCode::kNotFound:
      return Exit::kNotFound;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return Exit::kAuthentication;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kDataLoss:
      return Exit::kInvalid;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
      return Exit::kTryAgain;
    case absl::StatusCode::kCancelled:
      return interrupted ? Exit::kInterrupted : Exit::kFailed;
    default:
      return Exit::kFailed;
  }
}

std::string Describe(const absl::Status& status, bool interrupted) {
  const Exit exit = ExitFor(status, interrupted);
  const std::string message = Printable(Message(status), /*keep_lines=*/true);
  const std::string fix = Printable(Fix(status), /*keep_lines=*/true);
  if (exit == Exit::kInterrupted) {
    return fix.empty() ? message + "\n" : fmt::format("{}\nnext: {}\n", message, fix);
  }
  const std::string code =
      exit == Exit::kUsage ? "USAGE" : absl::StatusCodeToString(status.code());
  std::string lines =
      fmt::format("error: {}\ncode: {} (exit {})\n", message, code, static_cast<int>(exit));
  if (!fix.empty()) {
    lines += fmt::format("fix: {}\n", fix);
  }
  return lines;
}

std::string Printable(std::string_view text, bool keep_lines) {
  std::string shown;
  shown.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool control = byte < 0x20 || byte == 0x7f;
    if (control && !(keep_lines && c == '\n')) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += c;
    }
  }
  return shown;
}

}  // namespace millrace::cli
