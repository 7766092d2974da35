#include "clients/cli/doctor.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "clients/cli/connection.h"
#include "clients/cli/connection_options.h"
#include "clients/cli/console.h"
#include "clients/cli/context_file.h"
#include "clients/cli/failure.h"
#include "clients/cli/output.h"
#include "clients/cli/private_file.h"
#include "clients/cli/service_status.h"
#include "clients/cli/sparkline.h"
#include "clients/cli/spelling.h"
#include "clients/cli/table.h"
#include "common/clock/clock.h"
#include "common/rpc/channel.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

// One line of the report.
struct Check {
  std::string name;
  std::string found;  // when it is well
  absl::Status status;
};

using Checks = std::vector<Check>;

// When the first certificate of a PEM text ends; nothing said of what cannot be read.
absl::StatusOr<std::chrono::seconds> LeftOf(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr), X509_free);
  int days = 0;
  int seconds = 0;
  if (certificate == nullptr ||
      ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate.get())) != 1) {
    return InvalidArgument("it holds no certificate");
  }
  return std::chrono::hours(24) * days + std::chrono::seconds(seconds);
}

Check CheckCertificate(const std::string& name, const std::string& path) {
  constexpr std::chrono::hours kSoon{24 * 14};
  const absl::StatusOr<std::string> pem = ReadSmallFile(path);
  const absl::StatusOr<std::chrono::seconds> left =
      pem.ok() ? LeftOf(*pem) : absl::StatusOr<std::chrono::seconds>(pem.status());
  if (!left.ok()) {
    return {name, "", Annotate(left.status(), path)};
  }
  const auto days = std::chrono::duration_cast<std::chrono::hours>(*left).count() / 24;
  if (*left < kSoon) {
    return {name,
            "",
            WithFix(FailedPrecondition(
                        "{} {}",
                        path,
                        left->count() < 0 ? "has expired" : fmt::format("ends in {} days", days)),
                    "put a new one in its place; it is read again by itself")};
  }
  return {name, fmt::format("{} ends in {} days", path, days), absl::OkStatus()};
}

void CheckProtection(const Endpoints& ends, Checks& checks) {
  const security::v1::Tls& tls = ends.protection.tls;
  if (!tls.authority().empty()) {
    checks.push_back(CheckCertificate("authority", tls.authority()));
  }
  if (!tls.certificate().empty()) {
    checks.push_back(CheckCertificate("certificate", tls.certificate()));
  }
  // Reads all files, and refuses a token that would travel as plain text.
  absl::Status usable;
  for (const std::string& address :
       {ends.addresses.data, ends.addresses.training, ends.addresses.serving}) {
    usable = usable.ok() ? rpc::MakeChannel(address, ends.protection).status() : usable;
  }
  const std::string token = ends.protection.token_file.empty() ? "without a token" : "with a token";
  checks.push_back({"protection",
                    fmt::format("{}, {}", tls.authority().empty() ? "plain text" : "TLS", token),
                    usable});
}

// Reached, willing to answer this caller, healthy, and of this release and time.
template <typename Answers>
Check CheckService(Service service,
                   const Endpoints& ends,
                   Connection& connection,
                   const Answers& answers) {
  const std::string& address = AddressOf(ends.addresses, service);
  Check check{std::string(NameOf(service)), address + " serves", answers()};
  if (check.status.ok()) {
    constexpr std::chrono::seconds kProbeMax{5};
    check.status = rpc::Probe(address, kProbeMax, ends.protection);
  }
  if (!check.status.ok()) {
    return check;
  }
  const absl::StatusOr<ServiceStatus> status = AskStatus(connection, service, SystemClock());
  if (absl::IsUnimplemented(status.status())) {
    check.found += ", too old to tell version and time";
  } else if (!status.ok()) {
    check.status = status.status();
  } else {
    check.found += ", version " + status->told.version();
    if (status->told.has_disk_free_bytes()) {
      check.found +=
          fmt::format(", {} free on its disk", SpellBytes(status->told.disk_free_bytes()));
    }
    check.status = CheckRelease(*status);
    check.status = check.status.ok() ? CheckClocks(*status) : check.status;
    check.status = check.status.ok() ? CheckStateDisk(*status) : check.status;
  }
  return check;
}

void CheckServices(const Endpoints& ends, Connection& connection, Checks& checks) {
  checks.push_back(CheckService(Service::kData, ends, connection, [&] {
    data::v1::ListDatasetsRequest request;
    request.set_page_size(1);
    return connection.Call(connection.Data(), &DataStub::ListDatasets, request).status();
  }));
  checks.push_back(CheckService(Service::kTraining, ends, connection, [&] {
    training::v1::ListRunsRequest request;
    request.set_page_size(1);
    return connection.Call(connection.Training(), &TrainingStub::ListRuns, request).status();
  }));
  checks.push_back(CheckService(Service::kServing, ends, connection, [&] {
    serving::v1::ListModelsRequest request;
    request.set_page_size(1);
    return connection.Call(connection.Serving(), &ServingStub::ListModels, request).status();
  }));
}

// Room for what this command keeps: partial answers, and the state of `up`.
Check CheckDisk() {
  namespace fs = std::filesystem;
  constexpr std::uintmax_t kFreeMin = 1'000'000'000;
  fs::path folder = UserFolder("XDG_STATE_HOME", ".local/state");
  std::error_code error;
  while (!fs::exists(folder, error) && folder.has_relative_path()) {
    folder = folder.parent_path();
  }
  const fs::space_info space = fs::space(folder, error);
  const std::string room = fmt::format("{} free for what this command keeps, in {}",
                                       SpellBytes(static_cast<std::int64_t>(space.available)),
                                       folder.string());
  return {"disk",
          room,
          !error && space.available >= kFreeMin
              ? absl::OkStatus()
              : WithFix(ResourceExhausted("{}", error ? error.message() : room),
                        "make room, or set XDG_STATE_HOME to another disk")};
}

Checks CheckAll(Shell& shell) {
  Checks checks;
  const absl::StatusOr<Endpoints>& ends = shell.connection.endpoints();
  checks.push_back({"context",
                    ends.ok() ? fmt::format("{} of {}", ends->context, ContextPath()) : "",
                    ends.status()});
  if (ends.ok()) {
    CheckProtection(*ends, checks);
    CheckServices(*ends, shell.connection, checks);
  }
  checks.push_back(CheckDisk());
  return checks;
}

Result Report(const Checks& checks, TableStyle style) {
  const bool utf8 = SpeaksUtf8();
  Table table;
  Result result{.json = "["};
  for (const Check& check : checks) {
    const bool ok = check.status.ok();
    const std::string mark = ok ? (utf8 ? "✓" : "ok") : (utf8 ? "✗" : "FAILED");
    const std::string found = ok ? check.found : std::string(Message(check.status));
    const std::string fix = ok ? "" : FixFor(check.status);
    table.Add(ok ? std::vector<std::string>{mark, check.name, found}
                 : std::vector<std::string>{mark, check.name, found, "fix: " + fix});
    result.json += fmt::format(R"({}{{"name": {}, "ok": {}, "found": {}, "fix": {}}})",
                               result.json.size() == 1 ? "" : ", ",
                               ToJson(std::string_view(check.name)),
                               ok,
                               ToJson(std::string_view(found)),
                               ToJson(std::string_view(fix)));
    if (!ok) {
      result.names.push_back(check.name);
    }
  }
  result.json += "]\n";
  result.text = table.ToString(style);
  return result;
}

absl::Status Examine(Shell& shell) {
  const Checks checks = CheckAll(shell);
  if (shell.connection.stop().stop_requested()) {
    return Cancelled("interrupted");
  }
  shell.Print(Report(checks, shell.style()));
  const auto failed = std::count_if(
      checks.begin(), checks.end(), [](const Check& check) { return !check.status.ok(); });
  return failed == 0
             ? absl::OkStatus()
             : WithFix(
                   absl::UnknownError(fmt::format("{} of {} checks failed", failed, checks.size())),
                   "each line above has its own");
}

}  // namespace

void AddDoctor(CLI::App& app, Action& chosen) {
  app.add_subcommand("doctor", "check connections, certificates, services and disk")
      ->callback([&chosen] { chosen = Examine; });
}

}  // namespace millrace::cli
