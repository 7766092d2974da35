// Errors as values: how every fallible function in this repository answers.
//
// A function that can fail returns absl::Status or absl::StatusOr<T>. A broken promise of our own
// code is not an error but a bug: CHECK (common/status/check.h) ends the process.
//
// A message says what was wrong, where, what was expected and what was found. What to do about it
// is the fix: WithFix() attaches it, gRPC carries it as a detail, and the command line prints it
// last, where the eye rests.

#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

namespace millrace {

/// Builds an error from a format string, the value last:
///
///     return InvalidArgument("run.batch_size must be in [1, 65536], found {}", size);
template <typename... Args>
absl::Status InvalidArgument(fmt::format_string<Args...> text, Args&&... args) {
  return absl::InvalidArgumentError(fmt::format(text, std::forward<Args>(args)...));
}

/// The named thing does not exist.
template <typename... Args>
absl::Status NotFound(fmt::format_string<Args...> text, Args&&... args) {
  return absl::NotFoundError(fmt::format(text, std::forward<Args>(args)...));
}

/// The name is held by something else.
template <typename... Args>
absl::Status AlreadyExists(fmt::format_string<Args...> text, Args&&... args) {
  return absl::AlreadyExistsError(fmt::format(text, std::forward<Args>(args)...));
}

/// Valid in itself, but not in the state that the system is in.
template <typename... Args>
absl::Status FailedPrecondition(fmt::format_string<Args...> text, Args&&... args) {
  return absl::FailedPreconditionError(fmt::format(text, std::forward<Args>(args)...));
}

/// A limit, a queue or a quota is full.
template <typename... Args>
absl::Status ResourceExhausted(fmt::format_string<Args...> text, Args&&... args) {
  return absl::ResourceExhaustedError(fmt::format(text, std::forward<Args>(args)...));
}

/// A peer or a device does not answer; trying again later may help.
template <typename... Args>
absl::Status Unavailable(fmt::format_string<Args...> text, Args&&... args) {
  return absl::UnavailableError(fmt::format(text, std::forward<Args>(args)...));
}

/// Bytes are lost or damaged: a digest differs, a file ends too early.
template <typename... Args>
absl::Status DataLoss(fmt::format_string<Args...> text, Args&&... args) {
  return absl::DataLossError(fmt::format(text, std::forward<Args>(args)...));
}

/// The caller asked to stop.
template <typename... Args>
absl::Status Cancelled(fmt::format_string<Args...> text, Args&&... args) {
  return absl::CancelledError(fmt::format(text, std::forward<Args>(args)...));
}

/// The world behaved in a way that we have no better word for.
template <typename... Args>
absl::Status Internal(fmt::format_string<Args...> text, Args&&... args) {
  return absl::InternalError(fmt::format(text, std::forward<Args>(args)...));
}

/// The message of `status`. Debian's absl::string_view is not std::string_view; this bridges them.
inline std::string_view Message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

/// The same error with `context` in front, its fix kept: "reading run r-7: file ends at byte 12".
absl::Status Annotate(const absl::Status& status, std::string_view context);

/// The same error with what to do about it: "--label takes one of: diagnosis, age".
absl::Status WithFix(absl::Status status, std::string_view fix);

/// What WithFix() attached, or empty.
std::string Fix(const absl::Status& status);

/// The message, and the fix behind it if there is one: for where an error is kept as one text.
std::string MessageWithFix(const absl::Status& status);

/// The same error, with what is attached to it, in other words. OK stays OK.
absl::Status Reworded(const absl::Status& status, std::string_view message);

/// The same error with how long to wait before asking again: for RESOURCE_EXHAUSTED and
/// UNAVAILABLE.
absl::Status WithRetry(absl::Status status, std::chrono::seconds wait);

/// What WithRetry() attached.
std::optional<std::chrono::seconds> RetryAfter(const absl::Status& status);

}  // namespace millrace

/// Returns from the calling function when `expr` is not OK.
#define RETURN_IF_ERROR(expr)                                     \
  do {                                                            \
    if (absl::Status status_macro = (expr); !status_macro.ok()) { \
      return status_macro;                                        \
    }                                                             \
  } while (false)

#define MILLRACE_CONCAT_INNER(a, b) a##b
#define MILLRACE_CONCAT(a, b) MILLRACE_CONCAT_INNER(a, b)

/// Declares `lhs` from the value of the StatusOr `expr`, or returns its error.
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_AS(MILLRACE_CONCAT(status_or_macro_, __LINE__), lhs, expr)

// NOLINTBEGIN(bugprone-macro-parentheses): both name a declaration, not a value.
#define ASSIGN_OR_RETURN_AS(result, lhs, expr) \
  auto result = (expr);                        \
  if (!(result).ok()) {                        \
    return (result).status();                  \
  }                                            \
  lhs = *std::move(result)
// NOLINTEND(bugprone-macro-parentheses)
