// Program: what the mains of the three services have in common.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>
#include <prometheus/registry.h>

#include "millrace/config/v1/server_limits.pb.h"
#include "millrace/security/v1/security.pb.h"

#include "common/rpc/access.h"
#include "common/rpc/server.h"
#include "common/state/snapshot.h"
#include "common/state/state.h"

namespace millrace::program {

/// The fields that every service's configuration has.
struct Settings {
  std::string address = {};
  bool insecure = false;
  bool reflection = false;
  std::string folder = {};
  std::string log_level = {};
  std::string port_file = {};
  std::int32_t drain_seconds = 0;
  std::int64_t reserve_bytes = 0;
  security::v1::Tls tls = {};
  std::string access_file = {};
  std::string metrics_address = {};
  std::string metrics_port_file = {};
  config::v1::ServerLimits limits = rpc::DefaultServerLimits();
};

/// `Config` is a service's configuration message.
template <typename Config>
Settings SettingsOf(const Config& config) {
  return {.address = config.address(),
          .insecure = config.insecure(),
          .reflection = config.reflection(),
          .folder = config.folder(),
          .log_level = config.log_level(),
          .port_file = config.port_file(),
          .drain_seconds = config.drain_seconds(),
          .reserve_bytes = config.reserve_bytes(),
          .tls = config.tls(),
          .access_file = config.access_file(),
          .metrics_address = config.metrics_address(),
          .metrics_port_file = config.metrics_port_file(),
          .limits = config.server()};
}

/// What a service serves with its settings.
struct Served {
  std::string name = {};                      // "data"
  std::vector<grpc::Service*> services = {};  // not owned
  rpc::Permissions permissions = {};          // of their methods
  std::shared_ptr<prometheus::Registry> metrics = {};
  std::set<std::string, std::less<>> counted_by_handlers = {};  // as in ServerOptions

  /// The state that it serves; none: changes are not written down, and nothing can be backed up.
  std::optional<state::OpenState> state = {};

  /// Called once the service has been asked to stop and says so, before calls in flight are
  /// drained: what should end by itself ends here.
  std::function<void()> before_drain = {};
};

/// Serves them and a StatusService, keeps the folder's reserve, lends snapshots of the state,
/// writes the port files, probes itself, and returns when SIGTERM or SIGINT came and the calls in
/// flight have ended or were cancelled. Requires: BlockStopSignals() before any thread.
absl::Status Serve(const Settings& settings, const Served& served);

/// One service's program.
struct Definition {
  std::string_view name;               // "data": millrace-data, MILLRACE_DATA_ADDRESS
  const state::StateLayout& state;     // what it keeps in its folder
  google::protobuf::Message& config;   // holds the defaults of what is no limit; is filled
  std::function<Settings()> settings;  // of `config`, once it is filled
  std::function<absl::Status()> run;   // by `config`
};

/// Reads the words and the environment, does what they ask for (--help, --version, --probe,
/// --verify, --backup, --restore, or run), and returns the exit code. An error is printed with what
/// to do about it.
int Main(const Definition& definition, int argc, char** argv);

}  // namespace millrace::program
