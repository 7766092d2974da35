#include "clients/cli/completion.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "clients/cli/connection_flags.h"
#include "clients/cli/connection_options.h"
#include "clients/cli/output.h"
#include "clients/cli/resource_names.h"

namespace millrace::cli {

namespace {

// Each hands the words up to the cursor over and takes lines; where there are none, files.
constexpr std::string_view kBash = R"SCRIPT(# source <(millrace completion bash)
_millrace() {
  mapfile -t COMPREPLY < <(millrace __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}  # iris@3 is one word
complete -o default -F _millrace millrace
)SCRIPT";

// As a file of fpath it is the body of _millrace the first time that it is called.
constexpr std::string_view kZsh = R"SCRIPT(#compdef millrace
# source <(millrace completion zsh), or this as the file _millrace in a folder of fpath
_millrace() {
  local -a found
  found=(${(f)"$(millrace __complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)"})
  if (( ${#found} )); then compadd -a found; else _files; fi
}
if [[ ${funcstack[1]} == _millrace ]]; then
  _millrace "$@"
else
  (( ${+functions[compdef]} )) || { autoload -Uz compinit && compinit -i }
  compdef _millrace millrace
fi
)SCRIPT";

constexpr std::string_view kFish = R"SCRIPT(# millrace completion fish | source
function __millrace_complete
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  set -l found (millrace __complete -- $before[2..-1] "$current" 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\n' $found
  else
    __fish_complete_path "$current"
  end
end
complete -c millrace -f -a '(__millrace_complete)'
)SCRIPT";

// Words that stand for names of a collection, as arguments or behind a flag.
struct Place {
  std::string_view word;
  std::string_view collection;
  bool versions;
};

constexpr std::array kPlaces{Place{"DATASET", "datasets", true},
                             Place{"MODEL", "models", true},
                             Place{"RUN", "runs", false},
                             Place{"UPLOAD", "uploads", false},
                             Place{"CONTEXT", "contexts", false},
                             Place{"--dataset", "datasets", true},
                             Place{"--into", "datasets", false},
                             Place{"--model", "models", false},
                             Place{"--context", "contexts", false}};

// What may stand in one place.
struct Wanted {
  std::vector<std::string> words;  // that are known here
  const Place* place = nullptr;    // whose names the services know
  std::string before = {};         // what of the word stands before that: `--output=`
};

std::vector<CLI::Option*> FlagsOf(CLI::App* app) {
  std::vector<CLI::Option*> flags;
  for (; app != nullptr; app = app->get_parent()) {
    for (CLI::Option* const option : app->get_options()) {
      if (!option->get_positional()) {
        flags.push_back(option);
      }
    }
  }
  return flags;
}

CLI::Option* FindFlag(CLI::App* app, const std::string& word) {
  for (CLI::Option* const option : FlagsOf(app)) {
    if (option->check_name(word)) {
      return option;
    }
  }
  return nullptr;
}

bool TakesValue(const CLI::Option* flag) {
  return flag != nullptr && flag->get_items_expected_max() > 0;
}

Wanted ForPlace(std::string_view word) {
  for (const Place& place : kPlaces) {
    if (place.word == word) {
      return {.words = {}, .place = &place};
    }
  }
  return {};
}

CLI::App* FindVerb(CLI::App* app, const std::string& word) {
  for (CLI::App* const verb : app->get_subcommands(nullptr)) {
    if (verb->check_name(word)) {
      return verb;
    }
  }
  return nullptr;
}

Wanted ForValue(const CLI::Option& flag) {
  if (flag.check_lname("output")) {
    return {.words = FormatWords(), .place = nullptr};
  }
  return ForPlace(flag.get_lnames().empty() ? "" : fmt::format("--{}", flag.get_lnames().front()));
}

Wanted ForFlag(CLI::App* app) {
  Wanted wanted;
  for (const CLI::Option* const flag : FlagsOf(app)) {
    for (const std::string& name : flag->get_lnames()) {
      wanted.words.push_back(fmt::format("--{}", name));
    }
  }
  return wanted;
}

// The verbs, or the names that the next argument may have.
Wanted ForArgument(CLI::App* app, std::size_t given) {
  Wanted wanted;
  for (const CLI::App* const verb : app->get_subcommands(nullptr)) {
    if (!verb->get_group().empty()) {
      wanted.words.push_back(verb->get_name());
    }
  }
  std::vector<CLI::Option*> arguments;
  for (CLI::Option* const option : app->get_options()) {
    if (option->get_positional()) {
      arguments.push_back(option);
    }
  }
  return given < arguments.size() ? ForPlace(arguments[given]->get_name(true, false)) : wanted;
}

// Reads the words before the last as the parser would, and says what the last may be.
Wanted Understand(CLI::App& root, const std::vector<std::string>& words) {
  CLI::App* app = &root;
  std::size_t arguments = 0;
  const CLI::Option* open = nullptr;  // a flag whose value follows
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (open != nullptr) {
      open = word == "=" ? open : nullptr;  // bash cuts `--output=json` in three
    } else if (word.starts_with('-')) {
      const CLI::Option* const flag = FindFlag(app, word);
      open = TakesValue(flag) ? flag : nullptr;  // none for `--output=json`, which has its value
    } else if (CLI::App* const verb = FindVerb(app, word); verb != nullptr) {
      app = verb;
    } else {
      ++arguments;
    }
  }
  const std::string last = words.empty() ? "" : words.back();
  if (open != nullptr) {
    return ForValue(*open);
  }
  const std::size_t value = last.find('=') + 1;
  if (last.starts_with("--") && value > 0) {
    const CLI::Option* const flag = FindFlag(app, last.substr(0, value - 1));
    Wanted wanted = TakesValue(flag) ? ForValue(*flag) : Wanted();
    wanted.before = last.substr(0, value);
    return wanted;
  }
  return last.starts_with('-') ? ForFlag(app) : ForArgument(app, arguments);
}

// The connection that the words ask for.
ConnectionFlags FlagsIn(std::vector<std::string> words) {
  ConnectionFlags flags;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  AddConnectionFlags(app, flags);
  std::reverse(words.begin(), words.end());
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError&) {  // half a command line has no mistakes yet
  }
  return flags;
}

absl::Status PrintWanted(const Wanted& wanted,
                         const std::vector<std::string>& words,
                         Shell& shell) {
  std::vector<std::string> candidates = wanted.words;
  if (wanted.place != nullptr) {
    candidates =
        ResourceNames(Resolve(FlagsIn(words)), wanted.place->collection, wanted.place->versions);
  }
  // Of `--output=` bash hands over `=`, the last of three words.
  const std::string last = words.empty() || words.back() == "=" ? "" : words.back();
  for (const std::string& candidate : candidates) {
    const std::string word = wanted.before + candidate;
    if (word.starts_with(last)) {
      shell.console.Print(word + "\n");
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddCompletion(CLI::App& root, Action& chosen) {
  CLI::App* const noun =
      root.add_subcommand("completion", "scripts that complete words in a shell");
  const auto script = [noun, &chosen](const char* shell_name, std::string_view text) {
    noun->add_subcommand(shell_name, fmt::format("the script for {}", shell_name))
        ->callback([&chosen, text] {
          chosen = [text](Shell& shell) {
            shell.console.Print(text);
            return absl::OkStatus();
          };
        });
  };
  script("bash", kBash);
  script("zsh", kZsh);
  script("fish", kFish);
  const auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* const hidden = root.add_subcommand("__complete", "")->group("");
  hidden->add_option("WORD", *words);
  hidden->callback([&root, words, &chosen] {
    const Wanted wanted = Understand(root, *words);
    chosen = [wanted, words](Shell& shell) { return PrintWanted(wanted, *words, shell); };
  });
}

}  // namespace millrace::cli
