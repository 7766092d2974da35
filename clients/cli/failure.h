// Failure: how an error looks to a person, and to a script.

#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace millrace::cli {

/// What the command's exit code says.
enum class Exit {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,           // the words on the command line make no sense
  kNotFound = 3,        // a named thing does not exist
  kAuthentication = 4,  // who is asking, or what they may do
  kInvalid = 5,         // data or state that does not allow it
  kTryAgain = 6,        // unreachable, full or too slow; later may help
  kInterrupted = 130,   // by Ctrl-C or SIGTERM
};

/// An error in the words on the command line, with what to do about it.
absl::Status UsageError(std::string_view message, std::string_view fix);

/// The exit code for `status`. `interrupted` says whether the user asked to stop, which tells their
/// cancellation from one that a service decided on.
Exit ExitFor(const absl::Status& status, bool interrupted);

/// The lines to print: what happened, the code, and the fix last, where the eye rests; one by the
/// code alone where the error has none. Control characters of a peer's text are shown, never sent
/// to the terminal. `request_id` is what the services' logs call this command; empty: not told.
std::string Describe(const absl::Status& status,
                     bool interrupted,
                     std::string_view request_id = {});

/// What to do about an error: its own fix, or one by its code alone.
std::string FixFor(const absl::Status& status);

/// `text` with the bytes of controls and marks of direction (unprintable.h) as \xNN, so that no
/// cell or message can steer a terminal or show itself as another. Line feeds stay when
/// `keep_lines`.
std::string Printable(std::string_view text, bool keep_lines = false);

}  // namespace millrace::cli
