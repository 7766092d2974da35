#include "clients/cli/version.h"

#include <array>
#include <future>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "clients/cli/connection.h"
#include "clients/cli/connection_options.h"
#include "clients/cli/console.h"
#include "clients/cli/failure.h"
#include "clients/cli/moment.h"
#include "clients/cli/output.h"
#include "clients/cli/service_status.h"
#include "common/clock/clock.h"
#include "common/status/status.h"
#include "common/version/version.h"

namespace millrace::cli {

namespace {

using Answers = std::array<absl::StatusOr<ServiceStatus>, kServices.size()>;

// Asks all at once, so that two that are silent take no longer than one.
Answers AskAll(const Connection& connection) {
  const Moment moment;
  const auto ask = [&](Service service) {
    return std::async(std::launch::async, [&moment, &connection, service] {
      Connection own(connection.endpoints(), moment.stop(), connection.request_id());
      return AskStatus(own, service, SystemClock());
    });
  };
  std::array asked{ask(Service::kData), ask(Service::kTraining), ask(Service::kServing)};
  Answers answers;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    answers[i] = asked[i].get();
  }
  return answers;
}

// Why there is no version of this service.
std::string WhyNot(std::string_view name, const std::string& address, const absl::Status& status) {
  if (absl::IsUnavailable(status)) {
    return std::string(Message(status));  // has both already
  }
  const std::string why = absl::IsUnimplemented(status) ? "is too old to tell its version"
                          : absl::IsCancelled(status)
                              ? fmt::format("did not answer within {} s", kMoment.count())
                              : fmt::format("does not tell its version: {}", Message(status));
  return fmt::format("the {} service at {} {}", name, address, why);
}

std::string Line(std::string_view name,
                 std::string_view version,
                 std::string_view build,
                 bool wide) {
  return fmt::format("{} {}{}{}\n", name, version, wide ? " " : "", wide ? build : "");
}

absl::Status PrintVersion(Shell& shell) {
  Result result{.text = Line("millrace", Version(), BuildName(), shell.wide()),
                .names = {std::string(Version())}};
  const absl::StatusOr<Endpoints>& ends = shell.connection.endpoints();
  std::string services;
  if (!ends.ok()) {
    shell.console.Note(Printable(Message(ends.status())));
  } else if (shell.format != Format::kName) {  // which has no services
    const Answers answers = AskAll(shell.connection);
    for (const Service service : kServices) {
      const auto& answer = answers[static_cast<std::size_t>(service)];
      if (!answer.ok()) {
        shell.console.Note(Printable(
            WhyNot(NameOf(service), AddressOf(ends->addresses, service), answer.status())));
        continue;
      }
      const status::v1::Status& told = answer->told;
      result.text +=
          Line(NameOf(service), Printable(told.version()), Printable(told.build()), shell.wide());
      services += (services.empty() ? "" : ", ") + ToJson(told, /*one_line=*/true);
      services.pop_back();  // its line feed
    }
  }
  result.json = fmt::format("{{\"version\": {}, \"build\": {}, \"services\": [{}]}}\n",
                            ToJson(Version()),
                            ToJson(BuildName()),
                            services);
  shell.Print(result);
  return absl::OkStatus();
}

}  // namespace

void AddVersion(CLI::App& app, Action& chosen) {
  app.add_subcommand("version", "the versions of this program and of the services")
      ->callback([&chosen] { chosen = PrintVersion; });
}

}  // namespace millrace::cli
