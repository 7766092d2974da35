// `millrace version`: which release this command is of, and which the services are of.

#pragma once

#include <CLI/CLI.hpp>

#include "clients/cli/shell.h"

namespace millrace::cli {

/// Adds it to `app`; parsing its words sets `chosen`, which must outlive `app`. A service that does
/// not answer in a moment is told on the error stream and is no failure.
void AddVersion(CLI::App& app, Action& chosen);

}  // namespace millrace::cli
