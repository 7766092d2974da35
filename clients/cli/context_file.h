// ContextFile: the contexts of this user, on disk.

#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/context/v1/context.pb.h"

namespace millrace::cli {

/// The context that is always there: the defaults, the services of this machine.
constexpr std::string_view kLocalContext = "local";

/// `$XDG_CONFIG_HOME/millrace/contexts.yaml`.
std::string ContextPath();

/// What the file says; no contexts when there is none. INVALID_ARGUMENT with file and line when it
/// is not what SaveContexts() writes.
absl::StatusOr<context::v1::ContextList> LoadContexts();

/// Replaces the file; see WritePrivateFile().
absl::Status SaveContexts(const context::v1::ContextList& list);

/// The context of this name, an empty one for kLocalContext. NOT_FOUND with the closest known name.
absl::StatusOr<context::v1::Context> FindContext(const context::v1::ContextList& list,
                                                 std::string_view name);

}  // namespace millrace::cli
