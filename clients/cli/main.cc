// millrace, the command: parse, do, say what happened.

#include <iostream>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <unistd.h>

#include "clients/cli/command_line.h"
#include "clients/cli/connection.h"
#include "clients/cli/console.h"
#include "clients/cli/failure.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/shell.h"

int main(int argc, char** argv) {
  using namespace millrace::cli;  // NOLINT(google-build-using-namespace): this is its main()
  const Interrupt interrupt;
  Console console(std::cout, std::cerr, /*live=*/isatty(STDERR_FILENO) == 1);
  const absl::StatusOr<CommandLine> line = ParseCommandLine({argv + 1, argv + argc});
  absl::Status status = line.status();
  if (line.ok()) {
    Connection connection(line->addresses, interrupt.stop());
    Shell shell{.console = console, .connection = connection, .format = line->format};
    status = line->action(shell);
  }
  const bool interrupted = interrupt.stop().stop_requested();
  if (!status.ok()) {
    console.Complain(Describe(status, interrupted));
  }
  return static_cast<int>(ExitFor(status, interrupted));
}
