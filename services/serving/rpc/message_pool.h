// MessagePool: request and response messages of one method, used again from call to call, and what
// is counted of each call.

#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <google/protobuf/arena.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/message_allocator.h>

#include "common/rpc/call_metrics.h"

namespace millrace::serving {

/// Gives gRPC the messages of a call without asking the heap for each of their parts: a request is
/// built in a block that is wiped afterwards, and a response keeps what its last call left in it,
/// so that the handler overwrites only what differs. They live as long as the call does, so they
/// carry its CallMeter too. Thread-safe; must outlive the server.
///
/// What is kept is bounded: kKeptMax pairs, each with one block and one response of up to
/// kResponseBytesMax as last sent.
template <typename Request, typename Response>
class MessagePool final : public grpc::MessageAllocator<Request, Response> {
 public:
  /// `metrics` must outlive it.
  explicit MessagePool(rpc::CallMetrics& metrics) : metrics_(metrics) {}

  grpc::MessageHolder<Request, Response>* AllocateMessages() override {
    std::unique_ptr<Pair> pair;
    {
      const std::lock_guard lock(mutex_);
      if (!kept_.empty()) {
        pair = std::move(kept_.back());
        kept_.pop_back();
      }
    }
    if (pair == nullptr) {
      pair = std::make_unique<Pair>(*this);
    }
    pair->Begin();
    return pair.release();  // comes back through Release()
  }

  /// Of a call whose messages are from here. Its handler says there how the call ends; without one,
  /// since the request could not be parsed, gRPC ends it with UNIMPLEMENTED.
  static rpc::CallMeter& MeterOf(grpc::CallbackServerContext& context) {
    return static_cast<Pair*>(context.GetRpcAllocatorState())->meter();
  }

 private:
  static constexpr std::size_t kKeptMax = 64;
  static constexpr std::size_t kBlockBytes = 16 << 10;
  static constexpr int kResponseBytesMax = 16 << 10;

  class Pair final : public grpc::MessageHolder<Request, Response> {
   public:
    explicit Pair(MessagePool& pool)
        : pool_(pool),
          block_(kBlockBytes),
          arena_(block_.data(), block_.size()) {
      this->set_response(&answer_);
    }

    void Begin() {
      meter_.emplace(pool_.metrics_, grpc::StatusCode::UNIMPLEMENTED);
      this->set_request(google::protobuf::Arena::CreateMessage<Request>(&arena_));
    }

    void Release() override {
      meter_->Received(this->request()->ByteSizeLong());
      if (meter_->code() == grpc::StatusCode::OK) {
        meter_->Sent(static_cast<std::size_t>(answer_.GetCachedSize()));
      }
      meter_.reset();
      arena_.Reset();
      pool_.Keep(std::unique_ptr<Pair>(this));
    }

    rpc::CallMeter& meter() { return *meter_; }

    [[nodiscard]] bool IsSmall() const { return answer_.GetCachedSize() <= kResponseBytesMax; }

   private:
    MessagePool& pool_;
    std::vector<char> block_;
    google::protobuf::Arena arena_;
    Response answer_;
    std::optional<rpc::CallMeter> meter_;  // while a call has the pair
  };

  void Keep(std::unique_ptr<Pair> pair) {
    if (!pair->IsSmall()) {
      return;
    }
    const std::lock_guard lock(mutex_);
    if (kept_.size() < kKeptMax) {
      kept_.push_back(std::move(pair));
    }
  }

  rpc::CallMetrics& metrics_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Pair>> kept_;  // guarded by mutex_
};

}  // namespace millrace::serving
