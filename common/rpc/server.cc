#include "common/rpc/server.h"

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <thread>

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>
#include <grpcpp/resource_quota.h>

#include "common/clock/clock.h"
#include "common/config/limits.h"
#include "common/rpc/access.h"
#include "common/rpc/address.h"
#include "common/rpc/call_audit.h"
#include "common/rpc/call_observer.h"
#include "common/rpc/denied_calls.h"
#include "common/rpc/listener.h"
#include "common/rpc/parse_check.h"
#include "common/rpc/peer_slots.h"
#include "common/rpc/reflection.h"
#include "common/rpc/transport.h"
#include "common/rpc/unknown_methods.h"
#include "common/status/status.h"

namespace millrace::rpc {

namespace {

// How long after the drain a handler may ignore that it was cancelled. gRPC waits for it without
// end, which would turn one stuck handler into a service that never stops; what was acknowledged is
// on disk by then, so the process may end instead.
constexpr std::chrono::seconds kIgnoredCancelMax{10};

// A peer that is gone is noticed after both.
constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;

// Addresses that are told apart when calls of theirs are denied, and the rest together.
constexpr std::size_t kGates = 33;

using Experimental = grpc::ServerBuilder::experimental_type;

ConnectionLimits LimitsOf(const config::v1::ServerLimits& limits) {
  return FittingDescriptors(
      {.all = limits.connections_max(), .of_address = limits.connections_of_address_max()});
}

absl::Status CheckAddress(const ServerOptions& options) {
  const std::string host = HostOf(options.address);
  if (host.empty()) {
    return InvalidArgument("address must be host:port, found '{}'", options.address);
  }
  if (!options.tls.certificate().empty() || IsLoopback(host)) {
    return absl::OkStatus();
  }
  if (!options.access_file.empty()) {
    return WithFix(
        FailedPrecondition("on address {} tokens would travel as plain text", options.address),
        "listen on 127.0.0.1, or give tls.certificate and tls.key");
  }
  if (!options.insecure) {
    return WithFix(
        FailedPrecondition("address {} can be reached from outside and would be plain text",
                           options.address),
        "listen on 127.0.0.1, give tls.certificate and tls.key, or accept plain text with "
        "--insecure");
  }
  return absl::OkStatus();
}

// Learns the names of the server's services, which gRPC tells to plugins alone. The list is
// complete before the first call and lives as long as the server.
class NamesPlugin final : public grpc::ServerBuilderPlugin {
 public:
  explicit NamesPlugin(const std::vector<std::string>*& names) : names_(names) {}

  std::string name() override { return "names"; }

  void InitServer(grpc::ServerInitializer* initializer) override {
    names_ = initializer->GetServiceList();
  }

  void Finish(grpc::ServerInitializer* /*initializer*/) override {}

  void ChangeArguments(const std::string& /*name*/, void* /*value*/) override {}

 private:
  const std::vector<std::string>*& names_;
};

class NamesOption final : public grpc::ServerBuilderOption {
 public:
  explicit NamesOption(const std::vector<std::string>*& names) : names_(names) {}

  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}

  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->push_back(std::make_unique<NamesPlugin>(names_));
  }

 private:
  const std::vector<std::string>*& names_;
};

// The most that a limit of seconds takes is below what an int has in milliseconds.
int Milliseconds(std::int64_t seconds) {
  return static_cast<int>(seconds * 1'000);
}

void SetKeepalive(const ServerOptions& options, grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Without this, two hours would be the least interval of a client that has no call.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             static_cast<int>(options.ping_interval_min.count()));
}

void SetLimits(const config::v1::ServerLimits& limits, grpc::ServerBuilder& builder) {
  grpc::ResourceQuota quota("server");
  quota.Resize(static_cast<std::size_t>(limits.memory_bytes_max()));
  quota.SetMaxThreads(static_cast<int>(limits.threads_max()));
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits.message_bytes_max()));
  builder.SetMaxSendMessageSize(static_cast<int>(limits.message_bytes_max()));
  // A megabyte of gzip can be a gigabyte of zeros, which neither limit nor quota would stop.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             static_cast<int>(limits.streams_max()));
  builder.AddChannelArgument("grpc.server_handshake_timeout_ms",
                             Milliseconds(limits.handshake_seconds_max()));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             Milliseconds(limits.connection_idle_seconds_max()));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                             Milliseconds(limits.connection_age_seconds_max()));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                             Milliseconds(limits.connection_grace_seconds_max()));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE,
                             static_cast<int>(limits.metadata_bytes_max()));
}

// Ends the process when destroyed later than `limit` after its creation: see kIgnoredCancelMax.
class Watchdog {
 public:
  explicit Watchdog(std::chrono::milliseconds limit)
      : thread_([this, limit] {
          std::unique_lock lock(mutex_);
          if (!changed_.wait_for(lock, limit, [this] { return done_; })) {
            std::_Exit(1);
          }
        }) {}

  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;  // guarded by mutex_
  std::thread thread_;
};

class GrpcServer final : public Server {
 public:
  explicit GrpcServer(bool reflects) : reflects_(reflects) {}

  ~GrpcServer() override { Stop(std::chrono::milliseconds(0)); }

  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  absl::Status Listen(const ServerOptions& options, const std::vector<grpc::Service*>& services);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> Interceptors(
      const ServerOptions& options);
  void SetGates(const std::shared_ptr<security::AccessFile>& access, const ServerOptions& options);

  [[nodiscard]] int port() const override { return listener_->port(); }

  [[nodiscard]] std::int64_t refused_connections() const override { return listener_->refused(); }

  void SetServing(bool serving) override {
    server_->GetHealthCheckService()->SetServingStatus(serving);
  }

  void Stop(std::chrono::milliseconds drain) override;

  std::shared_ptr<grpc::Channel> InProcessChannel() override {
    return server_->InProcessChannel({});
  }

 private:
  bool reflects_;
  const std::vector<std::string>* names_ = nullptr;  // the server's; set while it is built
  Reflection reflection_{names_};
  UnknownMethods unknown_methods_{names_};
  std::mutex stopping_;
  bool stopped_ = false;  // guarded by stopping_
  std::unique_ptr<PeerSlots> slots_;
  std::unique_ptr<DeniedCalls> denied_;  // null: nobody is denied anything
  ServerTransport transport_;
  std::unique_ptr<CallObserver> observer_;  // null: nobody counts
  std::unique_ptr<CallAudit> audit_;        // null: nobody writes down
  std::vector<std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor>> acceptors_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<grpc::Server> server_;
};

std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
GrpcServer::Interceptors(const ServerOptions& options) {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
  // The check first, so that the others see what the caller will. The audit next: it reads an
  // answer that the observer serializes, and may turn it into an error that the observer is to
  // count.
  creators.push_back(ParseCheckCreator(options.counted_by_handlers));
  if (options.audit != nullptr) {
    audit_ = std::make_unique<CallAudit>(*options.audit, options.permissions);
    creators.push_back(audit_->Creator());
  }
  if (options.metrics != nullptr) {
    observer_ = std::make_unique<CallObserver>(
        *options.metrics, names_, options.permissions, options.counted_by_handlers);
    creators.push_back(observer_->Creator());
    unknown_methods_.CountIn(*options.metrics);
  }
  return creators;
}

// A gate for each slot, so that what is denied has an address.
void GrpcServer::SetGates(const std::shared_ptr<security::AccessFile>& access,
                          const ServerOptions& options) {
  denied_ = std::make_unique<DeniedCalls>(options.metrics, options.audit, options.permissions);
  for (std::size_t slot = 0; slot < transport_.credentials.size(); ++slot) {
    const auto deny = [this, slot](const Denial& denial) {
      denied_->Add(denial, slots_->PeerOf(slot));
    };
    transport_.credentials[slot]->SetAuthMetadataProcessor(
        std::make_shared<Gate>(access, options.permissions, deny));
  }
}

absl::Status GrpcServer::Listen(const ServerOptions& options,
                                const std::vector<grpc::Service*>& services) {
  const bool gated = !options.access_file.empty();
  slots_ = std::make_unique<PeerSlots>(gated ? kGates : 1);
  ASSIGN_OR_RETURN(transport_, MakeServerTransport(options.tls, gated, slots_->count()));
  grpc::ServerBuilder builder;
  if (gated) {
    ASSIGN_OR_RETURN(const std::shared_ptr<security::AccessFile> access,
                     security::AccessFile::Open(options.access_file, SystemClock()));
    SetGates(access, options);
    builder.SetContextAllocator(ContextsWith(access));
  }
  ASSIGN_OR_RETURN(listener_, Listener::Open(options.address, LimitsOf(options.limits), *slots_));
  for (const auto& credentials : transport_.credentials) {
    acceptors_.push_back(builder.experimental().AddExternalConnectionAcceptor(
        Experimental::ExternalConnectionType::FROM_FD, credentials));
  }
  SetLimits(options.limits, builder);
  SetKeepalive(options, builder);
  builder.experimental().SetInterceptorCreators(Interceptors(options));
  builder.SetOption(std::make_unique<NamesOption>(names_));
  for (grpc::Service* service : services) {
    builder.RegisterService(service);
  }
  if (reflects_) {
    for (grpc::Service* service : reflection_.services()) {
      builder.RegisterService(service);
    }
  }
  builder.RegisterCallbackGenericService(&unknown_methods_);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) {
    return Internal("gRPC cannot start a server");  // its log says why
  }
  if (gated || !options.permissions.empty()) {
    // gRPC tells the services only now, before anybody is let in.
    RETURN_IF_ERROR(CheckPermissions(*names_, options.permissions));
  }
  for (const std::string& name : *names_) {
    server_->GetHealthCheckService()->SetServingStatus(name, true);
  }
  listener_->Start([this](int descriptor, std::size_t slot) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = descriptor;
    acceptors_[slot]->HandleNewConnection(&connection);
  });
  return absl::OkStatus();
}

void GrpcServer::Stop(std::chrono::milliseconds drain) {
  const std::lock_guard lock(stopping_);
  if (stopped_ || server_ == nullptr) {
    return;
  }
  stopped_ = true;
  const Watchdog watchdog(drain + kIgnoredCancelMax);
  listener_->Stop();
  server_->GetHealthCheckService()->Shutdown();
  server_->Shutdown(std::chrono::system_clock::now() + drain);
  server_->Wait();
}

}  // namespace

config::v1::ServerLimits DefaultServerLimits() {
  config::v1::ServerLimits limits;
  config::FillLimits(limits);
  return limits;
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const std::vector<grpc::Service*>& services) {
  RETURN_IF_ERROR(CheckAddress(options));
  grpc::EnableDefaultHealthCheckService(true);  // a callback service: no thread a stream
  auto server =
      std::make_unique<GrpcServer>(options.reflection || IsLoopback(HostOf(options.address)));
  RETURN_IF_ERROR(server->Listen(options, services));
  return server;
}

}  // namespace millrace::rpc
