// Shell: what a command works with.

#pragma once

#include <functional>

#include <absl/status/status.h>

#include "clients/cli/connection.h"
#include "clients/cli/console.h"

namespace millrace::cli {

/// The surroundings of one command: where it writes, whom it calls, how results shall look.
struct Shell {
  Console& console;
  Connection& connection;
  Format format = Format::kTable;

  [[nodiscard]] bool json() const { return format == Format::kJson; }
};

/// What the words on the command line ask for.
using Action = std::function<absl::Status(Shell&)>;

}  // namespace millrace::cli
