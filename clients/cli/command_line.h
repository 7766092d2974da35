// CommandLine: the words after `millrace`, understood.

#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "clients/cli/connection_options.h"
#include "clients/cli/console.h"
#include "clients/cli/failure.h"
#include "clients/cli/output.h"
#include "clients/cli/shell.h"

namespace millrace::cli {

/// What is to be done, where and how it shall look.
struct CommandLine {
  ConnectionFlags flags;
  Format format = Format::kTable;
  Action action;
  std::string command = {};  // that the words name, without the program's: "dataset import"
};

/// Parses `words` (without the program's name). A usage error names the closest noun, verb or flag.
/// For --help the action prints the help of the noun or verb it stands behind. Words are UTF-8.
absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& words);

/// The help of one command.
struct HelpPage {
  std::string command;  // `millrace dataset import`
  std::string text;
};

/// Of every command, each behind the one that it belongs to.
std::vector<HelpPage> HelpPages();

/// Parses `words`, does what they ask until `stop`, and tells an error; returns the exit code.
Exit Perform(const std::vector<std::string>& words, Console& console, const std::stop_token& stop);

}  // namespace millrace::cli
