#include "clients/cli/route.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/console.h"
#include "clients/cli/failure.h"
#include "clients/cli/listing.h"
#include "clients/cli/output.h"
#include "clients/cli/reference.h"
#include "clients/cli/spelling.h"
#include "clients/cli/table.h"
#include "clients/cli/verb.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using serving::v1::Route;
using serving::v1::RouteChange;
using serving::v1::RouteShare;

constexpr int kWhole = 100;  // percent

// The words of `route set`.
struct SetWords {
  std::string model;
  std::vector<std::string> shares;  // version=percent, or one version
  std::string canary;               // version=percent
  bool newest = false;
  Consent consent;
};

// `@2 90 %, @3 10 %`; for people.
std::string Words(const Route& route) {
  std::vector<std::string> words;
  for (const RouteShare& share : route.shares()) {
    words.push_back(fmt::format("@{} {} %", share.version(), share.percent()));
  }
  return words.empty() ? "the newest version" : fmt::format("{}", fmt::join(words, ", "));
}

Result RouteResult(const Route& route, TableStyle style) {
  Table table({"MODEL", ">VERSION", ">PERCENT"});
  Result result{.json = ToJson(route)};
  for (const RouteShare& share : route.shares()) {
    table.Add({ShortName(route.model()),
               fmt::format("{}", share.version()),
               fmt::format("{}", share.percent())});
    result.names.push_back(fmt::format("{}/versions/{}", route.model(), share.version()));
  }
  if (route.shares().empty()) {
    table.Add({ShortName(route.model()), "newest", fmt::format("{}", kWhole)});
    result.names.push_back(route.model());
  }
  result.text = table.ToString(style);
  return result;
}

absl::StatusOr<Route> GetRoute(const std::string& model, Shell& shell) {
  serving::v1::GetRouteRequest request;
  request.set_model(FullName("models", model));
  return shell.connection.Call(shell.connection.Serving(), &ServingStub::GetRoute, request);
}

bool ParseWhole(std::string_view text, std::int32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// `3=10`, `3=10%`, or `3` for all of it.
absl::StatusOr<RouteShare> ParseShare(std::string_view word) {
  const std::size_t equals = word.find('=');
  std::string_view percent = equals == std::string_view::npos ? "100" : word.substr(equals + 1);
  percent.remove_suffix(percent.ends_with('%') ? 1 : 0);
  std::int32_t version = 0;
  std::int32_t share = 0;
  if (!ParseWhole(word.substr(0, equals), version) || version < 1 || !ParseWhole(percent, share) ||
      share < 1 || share > kWhole) {
    return UsageError(
        fmt::format("a share must be VERSION=PERCENT with 1 to 100 percent, found '{}'", word),
        "for example 3=10");
  }
  RouteShare result;
  result.set_version(version);
  result.set_percent(share);
  return result;
}

// Where all traffic goes now.
absl::StatusOr<std::int32_t> PreferredVersion(const std::string& model, Shell& shell) {
  serving::v1::GetModelRequest request;
  request.set_name(model);
  ASSIGN_OR_RETURN(
      const serving::v1::ModelVersion version,
      shell.connection.Call(shell.connection.Serving(), &ServingStub::GetModel, request));
  std::int32_t number = 0;
  const std::string_view name = version.name();
  return ParseWhole(name.substr(name.rfind('/') + 1), number)
             ? absl::StatusOr<std::int32_t>(number)
             : Internal("the serving service named a version '{}'", version.name());
}

// The others keep their proportions in what the canary leaves; what rounding leaves over goes to
// the largest.
absl::StatusOr<Route> WithCanary(Route route, const RouteShare& canary, Shell& shell) {
  if (route.shares().empty()) {
    ASSIGN_OR_RETURN(const std::int32_t version, PreferredVersion(route.model(), shell));
    route.add_shares()->set_version(version);
    route.mutable_shares(0)->set_percent(kWhole);
  }
  Route result;
  result.set_model(route.model());
  int others = 0;
  for (const RouteShare& share : route.shares()) {
    others += share.version() == canary.version() ? 0 : share.percent();
  }
  const int left = kWhole - canary.percent();
  int given = 0;
  for (const RouteShare& share : route.shares()) {
    const int percent = others == 0 ? 0 : share.percent() * left / others;
    if (share.version() != canary.version() && percent > 0) {
      *result.add_shares() = share;
      result.mutable_shares()->rbegin()->set_percent(percent);
      given += percent;
    }
  }
  if (given == 0 && left > 0) {
    return WithFix(FailedPrecondition("version {} of {} has all the traffic already",
                                      canary.version(),
                                      ShortName(route.model())),
                   fmt::format("say who gets the rest: millrace route set {} 1={} {}={}",
                               ShortName(route.model()),
                               left,
                               canary.version(),
                               canary.percent()));
  }
  if (given > 0) {
    RouteShare& largest = *std::max_element(
        result.mutable_shares()->begin(),
        result.mutable_shares()->end(),
        [](const RouteShare& a, const RouteShare& b) { return a.percent() < b.percent(); });
    largest.set_percent(largest.percent() + left - given);
  }
  *result.add_shares() = canary;
  return result;
}

absl::StatusOr<Route> Wanted(const SetWords& words, Shell& shell) {
  const int ways =
      (words.shares.empty() ? 0 : 1) + (words.canary.empty() ? 0 : 1) + (words.newest ? 1 : 0);
  if (ways != 1) {
    return UsageError("give either VERSION=PERCENT words, --canary or --newest",
                      fmt::format("for example 'millrace route set {} 2=90 3=10'", words.model));
  }
  Route route;
  route.set_model(FullName("models", words.model));
  if (!words.canary.empty()) {
    ASSIGN_OR_RETURN(const RouteShare canary, ParseShare(words.canary));
    ASSIGN_OR_RETURN(route, GetRoute(words.model, shell));
    return WithCanary(std::move(route), canary, shell);
  }
  int sum = 0;
  for (const std::string& word : words.shares) {
    ASSIGN_OR_RETURN(*route.add_shares(), ParseShare(word));
    sum += route.shares().rbegin()->percent();
  }
  if (!words.newest && sum != kWhole) {
    return UsageError(fmt::format("the shares must sum to 100 percent, found {}", sum),
                      fmt::format("'millrace route show {}' tells them as they are", words.model));
  }
  return route;
}

// Whether the model and each version of `route` is there.
absl::Status CheckVersions(const Route& route, Shell& shell) {
  serving::v1::GetModelRequest request;
  request.set_name(route.model());
  RETURN_IF_ERROR(
      shell.connection.Call(shell.connection.Serving(), &ServingStub::GetModel, request).status());
  for (const RouteShare& share : route.shares()) {
    request.set_name(fmt::format("{}/versions/{}", route.model(), share.version()));
    RETURN_IF_ERROR(
        shell.connection.Call(shell.connection.Serving(), &ServingStub::GetModel, request)
            .status());
  }
  return absl::OkStatus();
}

absl::Status SetTo(const Route& route, const Consent& consent, Shell& shell) {
  const std::string what = fmt::format("route {} to {}", ShortName(route.model()), Words(route));
  // Who names the shares has said yes; it takes effect between two requests and can be undone.
  if (consent.dry_run) {
    RETURN_IF_ERROR(CheckVersions(route, shell));
  }
  if (IsDryRun(shell, consent, what)) {
    return absl::OkStatus();
  }
  serving::v1::SetRouteRequest request;
  *request.mutable_route() = route;
  ASSIGN_OR_RETURN(
      const Route set,
      shell.connection.Call(shell.connection.Serving(), &ServingStub::SetRoute, request));
  shell.Print(RouteResult(set, shell.style()));
  shell.console.Note(
      fmt::format("'millrace route rollback {}' undoes it", ShortName(route.model())));
  return absl::OkStatus();
}

absl::Status Set(const SetWords& words, Shell& shell) {
  ASSIGN_OR_RETURN(const Route route, Wanted(words, shell));
  return SetTo(route, words.consent, shell);
}

absl::Status Show(const std::string& model, Shell& shell) {
  ASSIGN_OR_RETURN(const Route route, GetRoute(model, shell));
  shell.Print(RouteResult(route, shell.style()));
  return absl::OkStatus();
}

absl::Status Rollback(const std::string& model, const Consent& consent, Shell& shell) {
  serving::v1::ListRouteChangesRequest request;
  request.set_model(FullName("models", model));
  request.set_page_size(2);
  ASSIGN_OR_RETURN(
      const serving::v1::ListRouteChangesResponse list,
      shell.connection.Call(shell.connection.Serving(), &ServingStub::ListRouteChanges, request));
  if (list.changes_size() < 2) {
    return WithFix(FailedPrecondition("{} has had no other route", model),
                   fmt::format("'millrace route set {} VERSION' sets one", model));
  }
  Route route = list.changes(1).route();
  route.set_model(request.model());
  return SetTo(route, consent, shell);
}

absl::Status History(const std::string& model, int limit, Shell& shell) {
  serving::v1::ListRouteChangesRequest request;
  request.set_model(FullName("models", model));
  ASSIGN_OR_RETURN(const serving::v1::ListRouteChangesResponse list,
                   List(shell,
                        shell.connection.Serving(),
                        &ServingStub::ListRouteChanges,
                        std::move(request),
                        limit));
  Table table({">SEQUENCE", "WHO", "ROUTE", "SINCE (UTC)"});
  Result result{.json = ToJson(list)};
  for (const RouteChange& change : list.changes()) {
    table.Add({fmt::format("{}", change.sequence()),
               change.caller(),
               Words(change.route()),
               Spell(change.time(), shell.piped())});
    result.names.push_back(fmt::format("{}", change.sequence()));
  }
  result.text = table.ToString(shell.style());
  shell.Print(result);
  return absl::OkStatus();
}

void AddSet(CLI::App& noun, Action& chosen) {
  const auto words = std::make_shared<SetWords>();
  CLI::App* const verb = noun.add_subcommand("set", "say which versions get which share");
  verb->add_option("MODEL", words->model, "the model's name")->required();
  // Debian 13's CLI11 takes no '=' in a name.
  verb->add_option(
          "SHARES", words->shares, "the whole route, for example 2=90 3=10; 3 alone gets all")
      ->option_text("VERSION=PERCENT ...");
  verb->add_option(
      "--canary",
      words->canary,
      "VERSION=PERCENT for one, for example 3=10%; the others share the rest as before");
  verb->add_flag("--newest", words->newest, "all to the newest version, whenever one is added");
  AddConsent(*verb, words->consent, /*asks=*/false);
  verb->callback(
      [words, &chosen] { chosen = [words](Shell& shell) { return Set(*words, shell); }; });
}

}  // namespace

void AddRoute(CLI::App& app, Action& chosen) {
  CLI::App* const noun = app.add_subcommand("route", "which versions of a model get its traffic");
  AddNamed(
      *noun, chosen, {"show", "the shares as they are now", "MODEL", "the model's name"}, Show);
  AddSet(*noun, chosen);
  const auto consent = std::make_shared<Consent>();
  AddConsent(*AddNamed(*noun,
                       chosen,
                       {"rollback", "set the route before this one", "MODEL", "the model's name"},
                       [consent](const std::string& model, Shell& shell) {
                         return Rollback(model, *consent, shell);
                       }),
             *consent,
             /*asks=*/false);
  AddList(*noun,
          chosen,
          {"history", "who set what, newest first", "MODEL", "the model's name"},
          History);
}

}  // namespace millrace::cli
