#include "common/program/program.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <absl/synchronization/mutex.h>
#include <fmt/format.h>
#include <prometheus/gauge.h>
#include <unistd.h>

#include "common/clock/clock.h"
#include "common/config/config.h"
#include "common/config/limits.h"
#include "common/program/descriptors.h"
#include "common/program/status_service.h"
#include "common/rpc/address.h"
#include "common/rpc/port_file.h"
#include "common/rpc/self_probe.h"
#include "common/rpc/server.h"
#include "common/state/actions.h"
#include "common/state/snapshot_server.h"
#include "common/status/hidden_folder.h"
#include "common/status/status.h"
#include "common/storage/reserve.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics_server.h"
#include "common/version/version.h"

namespace millrace::program {

namespace {

constexpr std::chrono::seconds kProbeMax{3};

// Prints an error as the command line does: what is wrong, then what to do.
int Fail(std::string_view program, const absl::Status& status) {
  const std::string fix = Fix(status);
  fmt::print(stderr, "{}: {}\n", program, Message(status));
  if (!fix.empty()) {
    fmt::print(stderr, "  fix: {}\n", fix);
  }
  return EXIT_FAILURE;
}

absl::StatusOr<std::unique_ptr<telemetry::MetricsServer>> ServeMetrics(
    const Settings& settings,
    const std::shared_ptr<prometheus::Registry>& metrics) {
  if (settings.metrics_address.empty()) {
    return nullptr;
  }
  const std::string host = rpc::HostOf(settings.metrics_address);
  if (host.empty()) {
    return InvalidArgument("metrics_address must be host:port, found '{}'",
                           settings.metrics_address);
  }
  if (!rpc::IsLoopback(host) && !settings.insecure) {
    return WithFix(FailedPrecondition("metrics on {} could be read from outside as plain text",
                                      settings.metrics_address),
                   "listen on 127.0.0.1, or accept plain text with --insecure");
  }
  ASSIGN_OR_RETURN(auto server, telemetry::MetricsServer::Start(settings.metrics_address, metrics));
  RETURN_IF_ERROR(rpc::WritePortFile(settings.metrics_port_file, server->port()));
  return server;
}

std::vector<std::string> Environment() {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.emplace_back(*variable);
  }
  return environment;
}

// Keeps the reserve, and tells Prometheus how much of it there is. The reserve may outlive the
// service's metrics, so it holds them.
std::shared_ptr<storage::Reserve> KeepReserve(
    const Settings& settings,
    const std::shared_ptr<prometheus::Registry>& metrics) {
  auto reserve = storage::Reserve::Of(settings.folder);
  prometheus::Gauge* const gauge =
      metrics == nullptr ? nullptr
                         : &prometheus::BuildGauge()
                                .Name("millrace_reserve_bytes")
                                .Help("Bytes kept free for deleting; 0: the disk is full.")
                                .Register(*metrics)
                                .Add({});
  reserve->Keep(settings.reserve_bytes,
                [gauge, metrics, wanted = settings.reserve_bytes](std::int64_t bytes) {
                  if (gauge != nullptr) {
                    gauge->Set(static_cast<double>(bytes));
                  }
                  if (bytes < wanted) {
                    log::Warning("disk_full", {{"reserve_bytes", std::to_string(bytes)}});
                  }
                });
  return reserve;
}

absl::Status Run(const Definition& definition) {
  rpc::BlockStopSignals();
  const auto reserve = storage::Reserve::Of(definition.settings().folder);
  reserve->GiveForStart();
  RETURN_IF_ERROR(config::CheckLimits(definition.config));
  RETURN_IF_ERROR(RaiseDescriptors());
  return definition.run();
}

}  // namespace

absl::Status Serve(const Settings& settings, const Served& served) {
  HideFolder(settings.folder);
  StatusService status_service(served.name, settings.folder, SystemClock());
  std::vector<grpc::Service*> services = served.services;
  services.push_back(&status_service);
  const auto reserve = KeepReserve(settings, served.metrics);
  ASSIGN_OR_RETURN(const auto metrics, ServeMetrics(settings, served.metrics));
  ASSIGN_OR_RETURN(
      const auto server,
      rpc::Server::Start(
          {.address = settings.address,
           .insecure = settings.insecure,
           .reflection = settings.reflection,
           .limits = settings.limits,
           .tls = settings.tls,
           .access_file = settings.access_file,
           .permissions = rpc::Merge({served.permissions, StatusService::Permissions()}),
           .metrics = served.metrics.get(),
           .counted_by_handlers = served.counted_by_handlers,
           .audit = served.state ? &served.state->audit : nullptr},
          services));
  std::unique_ptr<state::SnapshotServer> snapshots;
  if (served.state.has_value()) {
    ASSIGN_OR_RETURN(snapshots, state::SnapshotServer::Start(*served.state));
  }
  const std::string bound =
      fmt::format("{}:{}", settings.address.substr(0, settings.address.rfind(':')), server->port());
  ASSIGN_OR_RETURN(auto probe, rpc::SelfProbe::Start(bound, settings.tls, {.refused = [&server] {
                                                       return server->refused_connections();
                                                     }}));
  RETURN_IF_ERROR(rpc::WritePortFile(settings.port_file, server->port()));
  log::Info("serves",
            {{"address", bound},
             {"metrics_port", metrics == nullptr ? "" : std::to_string(metrics->port())}});
  rpc::WaitForStopSignal();
  log::Info("stops", {{"drain_seconds", std::to_string(settings.drain_seconds)}});
  probe.reset();
  server->SetServing(false);
  if (served.before_drain) {
    served.before_drain();
  }
  server->Stop(std::chrono::seconds(settings.drain_seconds));
  return absl::OkStatus();
}

int Main(const Definition& definition, int argc, char** argv) {
  // Debian builds Abseil as for debugging: each of gRPC's locks is entered into a graph, in which
  // cycles are looked for. It takes a tenth of the processor time of a small call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const std::string program = fmt::format("millrace-{}", definition.name);
  config::FillLimits(definition.config);
  const std::string help = config::Help(program, definition.config);
  const auto filled =
      config::FillFromWords(definition.name,
                            std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc),
                            Environment(),
                            definition.config);
  if (!filled.ok()) {
    return Fail(program, filled.status());
  }
  switch (filled->action) {
    case config::Words::Action::kHelp:
      std::fputs(help.c_str(), stdout);
      return EXIT_SUCCESS;
    case config::Words::Action::kVersion:
      fmt::print("{} {}\n", program, Version());
      return EXIT_SUCCESS;
    case config::Words::Action::kProbe: {
      const Settings settings = definition.settings();
      const absl::Status status = rpc::ProbeSelf(settings.address, settings.tls, kProbeMax);
      return status.ok() ? EXIT_SUCCESS : Fail(program, status);
    }
    case config::Words::Action::kVerify:
    case config::Words::Action::kBackup:
    case config::Words::Action::kRestore: {
      const absl::Status status =
          state::Act(definition.state, definition.settings().folder, *filled);
      return status.ok() ? EXIT_SUCCESS : Fail(program, status);
    }
    case config::Words::Action::kRun:
      break;
  }
  log::Start(definition.name, definition.settings().log_level);
  const absl::Status status = Run(definition);
  return status.ok() ? EXIT_SUCCESS : Fail(program, status);
}

}  // namespace millrace::program
