#include "clients/cli/failure.h"

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/strings/cord.h>
#include <fmt/core.h>

#include "common/status/status.h"
#include "common/status/unprintable.h"

namespace millrace::cli {

namespace {

// Marks an INVALID_ARGUMENT as one about words on the command line.
constexpr const char* kUsageMark = "millrace.dev/usage";

bool IsUsage(const absl::Status& status) {
  return status.GetPayload(kUsageMark).has_value();
}

// What to do about an error that came without its own fix.
std::string_view UsualFix(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kNotFound:
      return "'millrace dataset ls', 'millrace run ls' and 'millrace model ls' list what there is";
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return "ask those who run the services for access";
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return "correct what the message names, then repeat the command";
    case absl::StatusCode::kFailedPrecondition:
      return "look at the state of things first, with 'ls' and 'show'";
    case absl::StatusCode::kAlreadyExists:
      return "choose another name";
    case absl::StatusCode::kUnavailable:
      return "try again; 'millrace up' starts the services of this machine";
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
      return "try again when less is going on";
    case absl::StatusCode::kUnimplemented:
      return "see that the address is that service's and that 'millrace version' is its version";
    default:
      return "try again; the service's log has more";
  }
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

std::string Describe(const absl::Status& status, bool interrupted, std::string_view request_id) {
  const Exit exit = ExitFor(status, interrupted);
  const std::string message = Printable(Message(status), /*keep_lines=*/true);
  if (exit == Exit::kInterrupted) {
    const std::string fix = Printable(Fix(status), /*keep_lines=*/true);
    return fix.empty() ? message + "\n" : fmt::format("{}\nnext: {}\n", message, fix);
  }
  const std::string code = exit == Exit::kUsage ? "USAGE" : absl::StatusCodeToString(status.code());
  return fmt::format("error: {}\ncode: {} (exit {}){}{}\nfix: {}\n",
                     message,
                     code,
                     static_cast<int>(exit),
                     exit == Exit::kUsage || request_id.empty() ? "" : ", request ",
                     exit == Exit::kUsage ? "" : request_id,
                     Printable(FixFor(status), /*keep_lines=*/true));
}

std::string FixFor(const absl::Status& status) {
  const std::string fix(Fix(status));
  return fix.empty() ? std::string(UsualFix(status.code())) : fix;
}

std::string Printable(std::string_view text, bool keep_lines) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const bool stays = keep_lines && text[0] == '\n';
    const std::size_t control = stays ? 0 : UnprintableBytes(text);
    for (std::size_t i = 0; i < control; ++i) {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
    }
    if (control == 0) {
      shown += text[0];
    }
    text.remove_prefix(control == 0 ? 1 : control);
  }
  return shown;
}

}  // namespace millrace::cli
