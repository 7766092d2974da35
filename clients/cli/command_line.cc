#include "clients/cli/command_line.h"

#include <algorithm>
#include <array>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "clients/cli/completion.h"
#include "clients/cli/connection.h"
#include "clients/cli/connection_flags.h"
#include "clients/cli/connection_options.h"
#include "clients/cli/console.h"
#include "clients/cli/context.h"
#include "clients/cli/dataset.h"
#include "clients/cli/doctor.h"
#include "clients/cli/failure.h"
#include "clients/cli/model.h"
#include "clients/cli/output.h"
#include "clients/cli/pipeline.h"
#include "clients/cli/predict.h"
#include "clients/cli/resource_names.h"
#include "clients/cli/route.h"
#include "clients/cli/run.h"
#include "clients/cli/up.h"
#include "clients/cli/uploads.h"
#include "clients/cli/version.h"
#include "clients/cli/wording.h"
#include "common/config/config.h"
#include "common/csv/text_check.h"
#include "common/rpc/request_id.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

// CLI11 takes `[a,b]` for a list, `--flag=` for a flag whose value follows, and forgets about `--`
// behind words of which there may be more. So words that it would misread are marked on their way
// in, at the end that misleads it, and each option takes the marks away again.
constexpr char kMark = '\x1f';

std::vector<std::string> Marked(const std::vector<std::string>& words) {
  std::vector<std::string> marked;
  bool flags = true;  // until `--`
  for (const std::string& word : words) {
    if (flags && word == "--") {
      flags = false;
      continue;
    }
    const char first = word.empty() ? 'x' : word.front();
    const char last = word.empty() ? 'x' : word.back();
    const bool front = first == kMark || (first == '-' && !flags);
    const bool back = last == kMark || last == ']' || last == '=';
    marked.push_back(std::string(front ? 1 : 0, kMark) + word + std::string(back ? 1 : 0, kMark));
  }
  return marked;
}

std::string Unmarked(std::string word) {
  if (word.starts_with(kMark)) {
    word.erase(0, 1);
  }
  if (word.ends_with(kMark)) {
    word.pop_back();
  }
  return word;
}

// Has every option of `app` and of what is below it take the marks away before all else.
void Unmark(CLI::App& app) {
  for (CLI::Option* const option : app.get_options()) {
    option->transform(Unmarked);
  }
  for (CLI::App* const subcommand : app.get_subcommands(nullptr)) {
    Unmark(*subcommand);
  }
}

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
    if (!subcommand->get_group().empty()) {  // one that is not hidden
      names.push_back(subcommand->get_name());
    }
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

// What other programs call it, and where it is here.
struct Synonym {
  std::string_view word;
  std::string_view meant;
};

constexpr std::array kSynonyms{Synonym{"train", "'millrace run start --dataset NAME' trains"},
                               Synonym{"fit", "'millrace run start --dataset NAME' trains"},
                               Synonym{"import", "'millrace dataset import FILE --name NAME'"},
                               Synonym{"list", "'millrace dataset ls', 'run ls' or 'model ls'"},
                               Synonym{"ls", "'millrace dataset ls', 'run ls' or 'model ls'"},
                               Synonym{"apply", "'millrace pipeline apply -f FILE'"},
                               Synonym{"serve", "'millrace up' starts the services"},
                               Synonym{"start", "'millrace up' starts the services"},
                               Synonym{"stop", "'millrace down' stops the services"},
                               Synonym{"status", "'millrace doctor' looks at the services"},
                               Synonym{"logs", "'millrace up' says where logs are"}};

constexpr std::array kVerbSynonyms{Synonym{"delete", "rm"},
                                   Synonym{"remove", "rm"},
                                   Synonym{"get", "show"},
                                   Synonym{"describe", "show"},
                                   Synonym{"info", "show"},
                                   Synonym{"create", "start"},
                                   Synonym{"train", "start"},
                                   Synonym{"follow", "watch"},
                                   Synonym{"stop", "cancel"},
                                   Synonym{"add", "import"},
                                   Synonym{"upload", "import"}};

// The fix for a word that stands for something else here; empty when none does.
std::string Meant(const CLI::App& app,
                  const std::string& word,
                  const std::vector<std::string>& known) {
  const std::string path = PathOf(app);
  if (app.get_parent() == nullptr) {
    for (const Synonym& synonym : kSynonyms) {
      if (synonym.word == word) {
        return std::string(synonym.meant);
      }
    }
  }
  for (const Synonym& synonym : kVerbSynonyms) {
    if (synonym.word == word &&
        std::find(known.begin(), known.end(), synonym.meant) != known.end()) {
      return fmt::format("'{} {}' does; '{} --help' lists all", path, synonym.meant, path);
    }
  }
  return {};
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
  const std::string first = Unmarked(words.front());
  if (first.size() > 1 && words.front()[0] == '-') {
    const std::string name = first.substr(0, first.find('='));
    return UsageError(fmt::format("{} has no flag '{}'", path, name),
                      Suggestion(name, FlagNames(&app), path));
  }
  if (const std::string meant = Meant(app, first, subcommands);
      !subcommands.empty() && !meant.empty()) {
    return UsageError(fmt::format("{} has no command '{}'", path, first), meant);
  }
  if (!subcommands.empty()) {
    return UsageError(fmt::format("{} has no command '{}'", path, first),
                      Suggestion(first, subcommands, path));
  }
  return UsageError(fmt::format("{} takes no further word, found '{}'", path, first),
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
  return UsageError(fmt::format("{} needs one of: {}", path, fmt::join(SubcommandNames(app), ", ")),
                    fmt::format("'{} --help' says what they do", path));
}

void AddCommon(CLI::App& root, CommandLine& line) {
  root.set_help_flag("-h,--help", "say what there is, and end");
  root.add_option_function<std::string>(
          "-o,--output",
          [&line](const std::string& word) { line.format = ParseFormat(word); },
          fmt::format("how results look: {}", fmt::join(FormatWords(), ", ")))
      ->check(CLI::IsMember(FormatWords()));
  AddConnectionFlags(root, line.flags);
}

// `help [NOUN [VERB]]` and `--version` as the words that do the same here.
std::vector<std::string> Usual(std::vector<std::string> words) {
  if (words.empty() || words.front() == "help") {
    words.erase(words.begin(), words.begin() + (words.empty() ? 0 : 1));
    words.emplace_back("--help");
  } else if (words.front() == "--version" || words.front() == "-V") {
    words.front() = "version";
  }
  return words;
}

// Words travel in messages, which are UTF-8.
absl::Status CheckText(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const csv::TextCheck check = csv::CheckText(word);
    if (check.end != csv::TextCheck::End::kAll) {
      return UsageError(fmt::format("words must be UTF-8, found another byte behind '{}'",
                                    word.substr(0, check.valid_bytes)),
                        "set the terminal to UTF-8, or give the file another name");
    }
  }
  return absl::OkStatus();
}

void AddNouns(CLI::App& root, Action& chosen) {
  AddUp(root, chosen);
  AddDataset(root, chosen);
  AddRun(root, chosen);
  AddModel(root, chosen);
  AddUpload(root, chosen);
  AddRoute(root, chosen);
  AddPredict(root, chosen);
  AddPipeline(root, chosen);
  AddContext(root, chosen);
  AddDoctor(root, chosen);
  AddCompletion(root, chosen);
  AddVersion(root, chosen);
}

constexpr const char* kWhat = "Millrace: from raw files to served predictions";

void Build(CLI::App& root, CommandLine& line) {
  // One noun, one verb: further words that look like one are names. Set before the nouns are
  // added, since they inherit it, as they do the place of common flags.
  root.require_subcommand(0, 1);
  root.fallthrough();
  root.footer("Every command takes the flags of 'millrace --help' too.");
  AddCommon(root, line);
  AddNouns(root, line.action);
  root.footer("");
}

void AddPages(CLI::App& app, const std::string& parent, std::vector<HelpPage>& pages) {
  const std::string path = parent.empty() ? app.get_name() : parent + " " + app.get_name();
  // How many line ends come last depends on CLI11's release.
  const std::string help = app.help(parent);
  pages.push_back(
      {.command = path, .text = help.substr(0, help.find_last_not_of('\n') + 1) + "\n"});
  for (CLI::App* const verb : app.get_subcommands(nullptr)) {
    if (!verb->get_group().empty()) {
      AddPages(*verb, path, pages);
    }
  }
}

}  // namespace

std::vector<HelpPage> HelpPages() {
  CommandLine line;
  CLI::App root(kWhat, "millrace");
  Build(root, line);
  std::vector<HelpPage> pages;
  AddPages(root, "", pages);
  return pages;
}

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& words) {
  RETURN_IF_ERROR(CheckText(words));
  CommandLine line;
  CLI::App root(kWhat, "millrace");
  Build(root, line);
  Unmark(root);
  try {
    // CLI11 takes them from the back.
    const std::vector<std::string> marked = Marked(Usual(words));
    root.parse(std::vector<std::string>(marked.rbegin(), marked.rend()));
  } catch (const CLI::CallForHelp&) {
    const std::string help = root.help();  // it finds the innermost one itself
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
  const std::string path = PathOf(*Deepest(root));
  line.command = path.substr(std::min(path.size(), root.get_name().size() + 1));
  return line;
}

Exit Perform(const std::vector<std::string>& words, Console& console, const std::stop_token& stop) {
  const absl::StatusOr<CommandLine> line = ParseCommandLine(words);
  absl::Status status = line.status();
  std::string request_id;
  if (line.ok()) {
    request_id = rpc::NewRequestId();
    Connection connection(Resolve(line->flags), stop, request_id);
    Shell shell{
        .console = console, .connection = connection, .format = line->format, .flags = line->flags};
    status = line->action(shell);
    if (!stop.stop_requested()) {
      status = WithGuess(status, connection.endpoints());
    }
    status = InWordsOf(line->command, words, status);
  }
  if (status.ok()) {
    status = console.Written();
  }
  if (!status.ok()) {
    console.Complain(Describe(status, stop.stop_requested(), request_id));
  }
  return ExitFor(status, stop.stop_requested());
}

}  // namespace millrace::cli
