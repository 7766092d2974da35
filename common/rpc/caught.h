// Caught: one exception ends one call, never the process.

#pragma once

#include <utility>

#include <absl/status/status.h>

namespace millrace::rpc {

/// The error of the exception that is being handled: RESOURCE_EXHAUSTED where memory ended, else
/// INTERNAL. Its text is not the exception's, which may hold what a user sent; the kind of the
/// exception is logged. Only inside a catch block.
absl::Status StatusOfException();

/// What `work` returns, an absl::Status or absl::StatusOr, or StatusOfException().
template <typename Work>
auto Caught(Work&& work) -> decltype(work()) {
  try {
    return std::forward<Work>(work)();
  } catch (...) {
    return StatusOfException();
  }
}

}  // namespace millrace::rpc
