#include "common/telemetry/metrics_server.h"

#include <exception>
#include <vector>

#include <prometheus/exposer.h>

#include "common/status/status.h"

namespace millrace::telemetry {

namespace {

class HttpServer final : public MetricsServer {
 public:
  // CivetWeb's own access log, CGI and directory listings are off unless asked for.
  explicit HttpServer(const std::string& address)
      : exposer_(std::vector<std::string>{"listening_ports",
                                          address,
                                          "num_threads",
                                          "2",
                                          "enable_keep_alive",
                                          "no",
                                          "request_timeout_ms",
                                          "5000"}) {}

  prometheus::Exposer& exposer() { return exposer_; }

  [[nodiscard]] int port() const override { return exposer_.GetListeningPorts().at(0); }

 private:
  prometheus::Exposer exposer_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const std::string& address,
    const std::shared_ptr<prometheus::Collectable>& metrics) {
  try {
    auto server = std::make_unique<HttpServer>(address);
    server->exposer().RegisterCollectable(metrics);
    return server;
  } catch (const std::exception& exception) {
    return WithFix(Unavailable("cannot serve metrics on {}: {}", address, exception.what()),
                   "another program may hold the port: give metrics_address another one");
  }
}

}  // namespace millrace::telemetry
