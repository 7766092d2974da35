// Uploads: those that have begun and are not finished, at the two services that take some.

#pragma once

#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "clients/cli/shell.h"

namespace millrace::cli {

/// Adds the noun `upload` to `app`; its verbs set `chosen`.
void AddUpload(CLI::App& app, Action& chosen);

/// After the user asked to stop: has the service forget what it has of an upload, if it can be
/// reached in a moment. Says what became of it: that nothing is left, or what is and how it goes.
std::string GiveUpUpload(Shell& shell, Service service, std::string_view upload_id);

}  // namespace millrace::cli
