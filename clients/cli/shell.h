// Shell: what a command works with.

#pragma once

#include <functional>

#include <absl/status/status.h>

#include "clients/cli/connection.h"
#include "clients/cli/connection_options.h"
#include "clients/cli/console.h"
#include "clients/cli/output.h"
#include "clients/cli/table.h"

namespace millrace::cli {

/// The surroundings of one command: where it writes, whom it calls, how results shall look.
struct Shell {
  Console& console;
  Connection& connection;
  Format format = Format::kTable;
  ConnectionFlags flags = {};  // for the few that do not only call

  [[nodiscard]] bool wide() const { return format == Format::kWide; }

  /// How tables of one row a thing look.
  [[nodiscard]] TableStyle style() const {
    return {.wide = wide(), .piped = piped(), .columns = wide() ? 0 : console.data_columns()};
  }

  /// How the tables of a page look, which has several parts and is for people alone.
  [[nodiscard]] TableStyle page() const {
    return {.wide = wide() || piped(), .columns = style().columns};
  }

  /// Whether another program reads the results, so that nothing in a table is cut or rounded for
  /// the eye.
  [[nodiscard]] bool piped() const { return console.piped(); }

  /// Whether a person reads the results.
  [[nodiscard]] bool for_people() const { return format == Format::kTable || wide(); }

  /// Prints in the form that was asked for.
  void Print(const Result& result) const { console.Print(Form(result, format)); }
};

/// What the words on the command line ask for.
using Action = std::function<absl::Status(Shell&)>;

}  // namespace millrace::cli
