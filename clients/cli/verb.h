// Verb: the forms that most verbs have: one name, a list, a change that wants consent.

#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "clients/cli/shell.h"

namespace millrace::cli {

/// A verb with one word, the name of what it is about.
struct NamedVerb {
  const char* verb = "";
  const char* help = "";
  const char* word = "";  // what the name is called in the help: DATASET
  const char* word_help = "";
  bool required = true;
};

/// Adds it; `act` gets the name, empty when none is given.
CLI::App* AddNamed(CLI::App& noun,
                   Action& chosen,
                   const NamedVerb& verb,
                   std::function<absl::Status(const std::string&, Shell&)> act);

/// Adds `--limit` besides: `act` gets the name and how many rows to show.
CLI::App* AddList(CLI::App& noun,
                  Action& chosen,
                  const NamedVerb& verb,
                  std::function<absl::Status(const std::string&, int, Shell&)> act);

/// Adds `ls` without a name: `act` gets how many rows to show.
void AddListOfAll(CLI::App& noun,
                  Action& chosen,
                  const char* help,
                  const std::function<absl::Status(int, Shell&)>& act);

/// What `--dry-run` and `--yes` say.
struct Consent {
  bool dry_run = false;
  bool yes = false;
};

/// Adds `--dry-run`, and `--yes` where `asks`.
void AddConsent(CLI::App& verb, Consent& consent, bool asks);

/// Whether this is a dry run; says what would be done. For what is not asked about.
bool IsDryRun(Shell& shell, const Consent& consent, std::string_view what);

/// Whether to go on with `what` ("delete models/a/versions/1"). Says what would be done on a dry
/// run. Asks on a terminal; elsewhere only `--yes` is a yes, and its lack a usage error.
absl::StatusOr<bool> Agree(Shell& shell, const Consent& consent, std::string_view what);

/// How something is deleted. Both get its full name.
struct Removal {
  std::string_view collection;
  std::function<absl::Status(const std::string&, Shell&)> look;  // is it there; tells what for
  std::function<absl::Status(const std::string&, Shell&)> act;
};

/// A named verb that deletes: looks, asks, and obeys `--dry-run`, which looks too.
void AddRemove(CLI::App& noun, Action& chosen, const NamedVerb& verb, const Removal& removal);

}  // namespace millrace::cli
