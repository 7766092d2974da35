// `millrace completion`: scripts for shells, and the hidden command that they call.

#pragma once

#include <CLI/CLI.hpp>

#include "clients/cli/shell.h"

namespace millrace::cli {

/// Adds `completion bash|zsh|fish`, and `__complete -- WORD...`, which prints what may stand in the
/// place of the last word, one a line: verbs, flags, values of flags, and names from the services,
/// as ResourceNames() has them. Nothing where a file's path belongs.
void AddCompletion(CLI::App& root, Action& chosen);

}  // namespace millrace::cli
