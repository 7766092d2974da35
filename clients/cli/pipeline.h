// `millrace pipeline`: apply: the whole way from a file to a served model.

#pragma once

#include <CLI/CLI.hpp>

#include "clients/cli/shell.h"

namespace millrace::cli {

/// Adds it to `app`; parsing its words sets `chosen`, which must outlive `app`.
void AddPipeline(CLI::App& app, Action& chosen);

}  // namespace millrace::cli
