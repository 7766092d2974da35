// `millrace context`: add, use, ls, show, rm.

#pragma once

#include <CLI/CLI.hpp>

#include "clients/cli/shell.h"

namespace millrace::cli {

/// Adds it to `app`; parsing its words sets `chosen`, which must outlive `app`.
void AddContext(CLI::App& app, Action& chosen);

}  // namespace millrace::cli
