// SelfProbe: ends a process whose own server answers nobody any more.

#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "millrace/security/v1/security.pb.h"

#include "common/rpc/transport.h"

namespace millrace::rpc {

/// Asks the server of this machine that listens on `address` with `tls` whether it serves: OK, or
/// UNAVAILABLE that says why. What `--probe` does. It shows the server's own certificate and
/// believes whatever it is shown.
absl::Status ProbeSelf(const std::string& address,
                       const security::v1::Tls& tls,
                       std::chrono::milliseconds timeout);

/// How often and how patiently a server is asked.
struct SelfProbeOptions {
  std::chrono::milliseconds interval{2'000};
  std::chrono::milliseconds timeout{2'000};
  int failures_max = 3;  // in a row

  /// What to do then; called once, on the probe's thread. Empty: log and end the process at once,
  /// so that whoever supervises it starts a new one.
  std::function<void(const absl::Status& last)> give_up = {};
};

/// Asks grpc.health.v1 of this process again and again, each time over a new connection. gRPC 1.51
/// can lose its listener for good when descriptors run out (CVE-2023-4785): the process is alive,
/// the port is open, and nobody is answered. Only a call from outside the server can see that.
class SelfProbe {
 public:
  /// `address` is where the server listens, and `tls` what it listens with; see ProbeSelf().
  static absl::StatusOr<std::unique_ptr<SelfProbe>> Start(const std::string& address,
                                                          const security::v1::Tls& tls,
                                                          SelfProbeOptions options = {});
  ~SelfProbe();
  SelfProbe(const SelfProbe&) = delete;
  SelfProbe& operator=(const SelfProbe&) = delete;

 private:
  SelfProbe(std::string target, ChannelTransport transport, SelfProbeOptions options);

  void Watch();
  [[nodiscard]] absl::Status Ask() const;
  bool Pause();

  const std::string target_;
  const ChannelTransport transport_;
  const SelfProbeOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace millrace::rpc
