// MetricsServer: what a service counts, over HTTP, for Prometheus.

#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <prometheus/collectable.h>

namespace millrace::telemetry {

/// Answers `GET /metrics` in Prometheus' text format until destroyed, with two threads of its own.
/// Thread-safe.
class MetricsServer {
 public:
  /// Listens on `address`, host:port; port 0 takes a free one. UNAVAILABLE when it cannot.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(
      const std::string& address,
      const std::shared_ptr<prometheus::Collectable>& metrics);

  virtual ~MetricsServer() = default;

  /// The port that was bound.
  [[nodiscard]] virtual int port() const = 0;
};

}  // namespace millrace::telemetry
