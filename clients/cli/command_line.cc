#include "clients/cli/command_line.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "common/config/config.h"
#include "common/status/status.h"

#include "clients/cli/dataset.h"
#include "clients/cli/failure.h"
#include "clients/cli/model.h"
#include "clients/cli/pipeline.h"
#include "clients/cli/predict.h"
#include "clients/cli/run.h"
#include "clients/cli/up.h"

namespace millrace::cli {

namespace {

// The innermost noun or verb that was named.
CLI::App* Deepest(CLI::App& root) {
  CLI::App* app = &root;
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().front();
  }
  return app;
}

// `millrace dataset import`.
std::string PathOf(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name()
                                     : PathOf(*app.get_parent()) + " " + app.get_name();
}

std::vector<std::string> SubcommandNames(CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* const subcommand : app.get_subcommands(nullptr)) {
    names.push_back(subcommand->get_name());
  }
  return names;
}

// The flags that may stand behind `app`: its own and those of all above it.
std::vector<std::string> FlagNames(CLI::App* app) {
  std::vector<std::string> names;
  for (; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* const option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        names.push_back("--" + name);
      }
    }
  }
  return names;
}

std::string Suggestion(const std::string& word,
                       const std::vector<std::string>& known,
                       const std::string& path) {
  const std::string closest = config::Closest(word, known);
  return closest.empty() ? fmt::format("'{} --help' lists what there is", path)
                         : fmt::format("did you mean '{}'? '{} --help' lists all", closest, path);
}

// What is wrong with the words that nobody took.
absl::Status LeftOver(CLI::App& root, const std::vector<std::string>& words) {
  CLI::App& app = *Deepest(root);
  const std::string path = PathOf(app);
  const std::vector<std::string> subcommands = SubcommandNames(app);
  const auto is_flag = [](const std::string& word) { return word.size() > 1 && word[0] == '-'; };
  const auto flag = std::find_if(words.begin(), words.end(), is_flag);
  const auto plain = std::find_if_not(words.begin(), words.end(), is_flag);
  if (plain != words.end() && !subcommands.empty()) {
    return UsageError(fmt::format("{} has no command '{}'", path, *plain),
                      Suggestion(*plain, subcommands, path));
  }
  if (flag != words.end()) {
    const std::string name = flag->substr(0, flag->find('='));
    return UsageError(fmt::format("{} has no flag '{}'", path, name),
                      Suggestion(name, FlagNames(&app), path));
  }
  return UsageError(fmt::format("{} takes no further word, found '{}'", path, words.front()),
                    fmt::format("'{} --help' shows what it takes; quote what has blanks", path));
}

absl::Status Understand(CLI::App& root, const CLI::ParseError& error) {
  const std::vector<std::string> left = root.remaining(/*recurse=*/true);
  if (!left.empty()) {
    return LeftOver(root, left);
  }
  const std::string path = PathOf(*Deepest(root));
  return UsageError(fmt::format("{}: {}", path, error.what()),
                    fmt::format("'{} --help' shows what it takes", path));
}

absl::Status NothingChosen(CLI::App& root) {
  CLI::App& app = *Deepest(root);
  const std::string path = PathOf(app);
  return UsageError(
      fmt::format("{} needs one of: {}", path, fmt::join(SubcommandNames(app), ", ")),
      fmt::format("'{} --help' says what they do", path));
}

void AddCommon(CLI::App& root, CommandLine& line) {
  root.set_help_flag("-h,--help", "say what there is, and end");
  root.add_option_function<std::string>(
          "-o,--output",
          [&line](const std::string& word) {
            line.format = word == "json" ? Format::kJson : Format::kTable;
          },
          "how results look: table or json")
      ->check(CLI::IsMember({"table", "json"}));
  const auto address = [&root](const char* flag, const char* variable, std::string& field) {
    root.add_option(flag, field, "host:port of that service")
        ->capture_default_str()
        ->envname(variable);
  };
  address("--data-address", "MILLRACE_DATA_ADDRESS", line.addresses.data);
  address("--training-address", "MILLRACE_TRAINING_ADDRESS", line.addresses.training);
  address("--serving-address", "MILLRACE_SERVING_ADDRESS", line.addresses.serving);
}

absl::Status PrintVersion(Shell& shell) {
  shell.console.Print(shell.json()
                          ? fmt::format("{{\"version\": {}}}\n", ToJson(MILLRACE_VERSION))
                          : fmt::format("millrace {}\n", MILLRACE_VERSION));
  return absl::OkStatus();
}

void AddNouns(CLI::App& root, Action& chosen) {
  AddUp(root, chosen);
  AddDataset(root, chosen);
  AddRun(root, chosen);
  AddModel(root, chosen);
  AddPredict(root, chosen);
  AddPipeline(root, chosen);
  root.add_subcommand("version", "the version of this program")->callback([&chosen] {
    chosen = PrintVersion;
  });
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& words) {
  CommandLine line;
  CLI::App root("Millrace: from raw files to served predictions", "millrace");
  // One noun, one verb: further words that look like one are names. Set before the nouns are
  // added, since they inherit it, as they do the place of common flags.
  root.require_subcommand(0, 1);
  root.fallthrough();
  AddCommon(root, line);
  AddNouns(root, line.action);
  try {
    // CLI11 takes them from the back.
    root.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::CallForHelp&) {
    const std::string help = Deepest(root)->help(PathOf(*Deepest(root)));
    line.action = [help](Shell& shell) {
      shell.console.Print(help);
      return absl::OkStatus();
    };
  } catch (const CLI::ParseError& error) {
    return Understand(root, error);
  }
  if (!line.action) {
    return NothingChosen(root);
  }
  return line;
}

}  // namespace millrace::cli
