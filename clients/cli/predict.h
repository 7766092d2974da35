// `millrace predict`: answers for rows, given as words or as a file.

#pragma once

#include <CLI/CLI.hpp>

#include "clients/cli/shell.h"

namespace millrace::cli {

/// Adds it to `app`; parsing its words sets `chosen`, which must outlive `app`.
void AddPredict(CLI::App& app, Action& chosen);

}  // namespace millrace::cli
