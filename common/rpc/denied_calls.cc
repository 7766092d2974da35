#include "common/rpc/denied_calls.h"

#include <utility>

#include <fmt/format.h>

#include "common/rpc/caught.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace millrace::rpc {

namespace {

constexpr std::chrono::minutes kMinute{1};

}  // namespace

DeniedCalls::DeniedCalls(prometheus::Registry* registry,
                         audit::AuditLog* log,
                         Permissions permissions)
    : registry_(registry),
      log_(log),
      permissions_(std::move(permissions)) {
  if (log_ != nullptr) {
    thread_ = std::thread([this] { Serve(); });
  }
}

DeniedCalls::~DeniedCalls() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void DeniedCalls::Add(const Denial& call, const std::string& peer) {
  const std::string method(permissions_.contains(call.method) ? call.method : "other");
  const std::lock_guard lock(mutex_);
  if (registry_ != nullptr) {
    std::unique_ptr<CallMetrics>& metrics = methods_[method];
    if (metrics == nullptr) {
      metrics = std::make_unique<CallMetrics>(*registry_, method, /*changes=*/false);
    }
    CallMeter(*metrics, call.code).Identify(call.request_id);
  }
  if (log_ != nullptr && Changes(permissions_, call.method)) {
    AddToMinute(call, peer);
  }
}

// Callers and methods are as many as a list and a table have; only addresses are not bounded.
void DeniedCalls::AddToMinute(const Denial& call, const std::string& peer) {
  const bool own = peers_.contains(peer) || peers_.size() < kAddressesMax;
  if (own) {
    peers_.insert(peer);
  }
  ++minute_[{own ? peer : "other addresses", call.caller, std::string(call.method), call.code}];
}

void DeniedCalls::Serve() {
  std::unique_lock lock(mutex_);
  bool stopping = false;
  while (!stopping) {
    stopping = changed_.wait_for(lock, kMinute, [this] { return stopping_; });
    const std::map<Key, std::int64_t> minute = std::exchange(minute_, {});
    peers_.clear();
    lock.unlock();
    Write(minute);
    lock.lock();
  }
}

void DeniedCalls::Write(const std::map<Key, std::int64_t>& minute) {
  for (const auto& [key, number] : minute) {
    const auto& [peer, caller, method, code] = key;
    const audit::Change change = {
        .caller = caller.empty() ? "unknown" : caller,
        .request_id = "",
        .method = method,
        .resource = "",
        .outcome = fmt::format("{}: {} calls from {}",
                               absl::StatusCodeToString(static_cast<absl::StatusCode>(code)),
                               number,
                               peer)};
    const absl::Status written = Caught([this, &change] { return log_->Append(change); });
    if (!written.ok()) {
      log::Error("audit_failed", {{"error", std::string(Message(written))}});
      return;  // the calls are in metrics and log
    }
  }
}

}  // namespace millrace::rpc
