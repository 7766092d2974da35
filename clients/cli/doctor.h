// `millrace doctor`: what keeps commands from working here, and what to do about it.

#pragma once

#include <CLI/CLI.hpp>

#include "clients/cli/shell.h"

namespace millrace::cli {

/// Adds it to `app`; parsing its words sets `chosen`, which must outlive `app`.
void AddDoctor(CLI::App& app, Action& chosen);

}  // namespace millrace::cli
