// ConnectionFlags: how they stand on the command line.

#pragma once

#include <CLI/CLI.hpp>

#include "clients/cli/connection_options.h"

namespace millrace::cli {

/// Adds the flags to the whole command; parsing fills `flags`, which must outlive `root`.
void AddConnectionFlags(CLI::App& root, ConnectionFlags& flags);

}  // namespace millrace::cli
