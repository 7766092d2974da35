#include "clients/cli/verb.h"

#include <charconv>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "clients/cli/console.h"
#include "clients/cli/failure.h"
#include "clients/cli/listing.h"
#include "clients/cli/reference.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

CLI::App* AddVerb(CLI::App& noun, const NamedVerb& verb, std::string& name) {
  CLI::App* const app = noun.add_subcommand(verb.verb, verb.help);
  app->add_option(verb.word, name, verb.word_help)->required(verb.required);
  return app;
}

// As CLI::Range, whose words depend on CLI11's release.
CLI::Validator WithinLimit() {
  const auto check = [](const std::string& text) {
    int limit = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, limit);
    return error == std::errc() && stop == end && limit >= 1 && limit <= kListMax
               ? std::string()
               : fmt::format("must be in [1, {}], found '{}'", kListMax, text);
  };
  return {check, fmt::format("INT in [1 - {}]", kListMax)};
}

}  // namespace

CLI::App* AddNamed(CLI::App& noun,
                   Action& chosen,
                   const NamedVerb& verb,
                   std::function<absl::Status(const std::string&, Shell&)> act) {
  const auto name = std::make_shared<std::string>();
  CLI::App* const app = AddVerb(noun, verb, *name);
  app->callback([name, act = std::move(act), &chosen] {
    chosen = [name, act](Shell& shell) { return act(*name, shell); };
  });
  return app;
}

CLI::App* AddList(CLI::App& noun,
                  Action& chosen,
                  const NamedVerb& verb,
                  std::function<absl::Status(const std::string&, int, Shell&)> act) {
  const auto name = std::make_shared<std::string>();
  const auto limit = std::make_shared<int>(kListDefault);
  const auto act_on = [name, limit, act = std::move(act), &chosen] {
    chosen = [name, limit, act](Shell& shell) { return act(*name, *limit, shell); };
  };
  const auto add = [&](const NamedVerb& named) {
    CLI::App* const app = AddVerb(noun, named, *name);
    app->add_option("--limit", *limit, "rows to show")->check(WithinLimit());
    app->callback(act_on);
    return app;
  };
  CLI::App* const app = add(verb);
  if (verb.verb == std::string_view("ls")) {
    NamedVerb other = verb;
    other.verb = "list";
    add(other)->group("");  // as below
  }
  return app;
}

void AddListOfAll(CLI::App& noun,
                  Action& chosen,
                  const char* help,
                  const std::function<absl::Status(int, Shell&)>& act) {
  const auto limit = std::make_shared<int>(kListDefault);
  for (const char* const word : {"ls", "list"}) {
    CLI::App* const app = noun.add_subcommand(word, help);
    if (word == std::string_view("list")) {
      app->group("");  // the same in another word; hidden
    }
    app->add_option("--limit", *limit, "rows to show")->check(WithinLimit());
    app->callback([limit, act, &chosen] {
      chosen = [limit, act](Shell& shell) { return act(*limit, shell); };
    });
  }
}

void AddConsent(CLI::App& verb, Consent& consent, bool asks) {
  verb.add_flag("--dry-run", consent.dry_run, "say what would be done, and do nothing");
  if (asks) {
    verb.add_flag("--yes", consent.yes, "do not ask");
  }
}

bool IsDryRun(Shell& shell, const Consent& consent, std::string_view what) {
  if (consent.dry_run) {
    shell.console.Note(fmt::format("would {}", Printable(what)));
  }
  return consent.dry_run;
}

absl::StatusOr<bool> Agree(Shell& shell, const Consent& consent, std::string_view what) {
  if (IsDryRun(shell, consent, what)) {
    return false;
  }
  if (consent.yes) {
    return true;
  }
  const std::optional<std::string> answer =
      shell.console.Ask(fmt::format("{}? [y/N]", Printable(what)));
  if (!answer) {
    return UsageError(fmt::format("nobody is here to be asked whether to {}", what),
                      "--yes says so");
  }
  if (answer == "y" || answer == "yes") {
    return true;
  }
  return WithFix(Cancelled("nothing was done"), "answer 'y', or give --yes");
}

void AddRemove(CLI::App& noun, Action& chosen, const NamedVerb& verb, const Removal& removal) {
  const auto consent = std::make_shared<Consent>();
  const auto ask = [consent, removal](const std::string& name, Shell& shell) -> absl::Status {
    const std::string full_name = FullName(removal.collection, name);
    RETURN_IF_ERROR(removal.look(full_name, shell));
    ASSIGN_OR_RETURN(const bool agreed, Agree(shell, *consent, "delete " + ShortName(full_name)));
    return agreed ? removal.act(full_name, shell) : absl::OkStatus();
  };
  AddConsent(*AddNamed(noun, chosen, verb, ask), *consent, /*asks=*/true);
}

}  // namespace millrace::cli
