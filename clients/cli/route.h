// `millrace route`: show, set, rollback, history.

#pragma once

#include <CLI/CLI.hpp>

#include "clients/cli/shell.h"

namespace millrace::cli {

/// Adds it to `app`; parsing its words sets `chosen`, which must outlive `app`.
void AddRoute(CLI::App& app, Action& chosen);

}  // namespace millrace::cli
