// millrace, the command: parse, do, say what happened.

#include <iostream>

#include <unistd.h>

#include "clients/cli/command_line.h"
#include "clients/cli/console.h"
#include "clients/cli/interrupt.h"

int main(int argc, char** argv) {
  using namespace millrace::cli;  // NOLINT(google-build-using-namespace): this is its main()
  const Interrupt interrupt;
  Console console(std::cout,
                  std::cerr,
                  IsLive(STDERR_FILENO),
                  isatty(STDIN_FILENO) == 1 ? &std::cin : nullptr,
                  /*piped=*/isatty(STDOUT_FILENO) != 1);
  console.SetColumns(ColumnsOf(STDOUT_FILENO), ColumnsOf(STDERR_FILENO));
  return static_cast<int>(Perform({argv + 1, argv + argc}, console, interrupt.stop()));
}
