// SelfProbe: ends a process whose own server answers nobody any more.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
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

  /// How many connections the server has refused so far. One that refuses some while it is asked is
  /// busy and not dead, so that a failure then is not counted. Empty: it never does.
  std::function<std::int64_t()> refused = {};

  /// What to do then; called once, on the probe's thread. Empty: log and end the process at once,
  /// so that whoever supervises it starts a new one.
  std::function<void(const absl::Status& last)> give_up = {};
};

/// Asks grpc.health.v1 of this process again and again, each time over a new connection: a process
/// can be alive and its port open while nobody is answered, which only a call from outside the
/// server can see. It does not count that this process has no descriptor left to ask with: ending
/// it would end the calls that go on, and whoever took them would take them again.
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
  [[nodiscard]] std::int64_t Refused() const;
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
