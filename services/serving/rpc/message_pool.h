// MessagePool: request and response messages of one method, used again from call to call, and what
// is counted of each call.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <google/protobuf/arena.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/message_allocator.h>

#include "common/rpc/call_metrics.h"
#include "common/rpc/caught.h"
#include "common/rpc/parse_check.h"
#include "common/status/grpc_status.h"

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
  using Begin = std::function<
      grpc::ServerUnaryReactor*(grpc::CallbackServerContext*, const Request*, Response*)>;

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

  /// The handler of a callback service's method that has its messages from here and calls `begin`;
  /// for MarkMethodCallback(), which takes it over. A request that cannot be parsed ends with
  /// INVALID_ARGUMENT, and an exception of `begin` as its own error: gRPC would end both with a
  /// bare UNIMPLEMENTED.
  grpc::internal::MethodHandler* Handler(Begin begin) {
    return new Parsing(*this, std::move(begin));
  }

  /// Of a call whose messages are from here. Its handler says there how the call ends.
  static rpc::CallMeter& MeterOf(grpc::CallbackServerContext& context) {
    return PairOf(context).meter();
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
      parsed_ = true;
      meter_.emplace(pool_.metrics_, grpc::StatusCode::UNKNOWN);
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

    void NotParsed() { parsed_ = false; }

    [[nodiscard]] bool parsed() const { return parsed_; }

    [[nodiscard]] bool IsSmall() const { return answer_.GetCachedSize() <= kResponseBytesMax; }

   private:
    MessagePool& pool_;
    std::vector<char> block_;
    google::protobuf::Arena arena_;
    Response answer_;
    bool parsed_ = true;
    std::optional<rpc::CallMeter> meter_;  // while a call has the pair
  };

  // gRPC's own handler, which asks `begin` also when there is no request, to say so.
  class Parsing final : public grpc::internal::MethodHandler {
   public:
    Parsing(MessagePool& pool, Begin begin)
        : handler_([begin = std::move(begin)](grpc::CallbackServerContext* context,
                                              const Request* request,
                                              Response* response) {
            return Answer(begin, *context, *request, *response);
          }) {
      handler_.SetMessageAllocator(&pool);
    }

    void RunHandler(const HandlerParameter& parameter) override { handler_.RunHandler(parameter); }

    void* Deserialize(grpc_call* call,
                      grpc_byte_buffer* bytes,
                      grpc::Status* status,
                      void** messages) override {
      void* const request = handler_.Deserialize(call, bytes, status, messages);
      if (request != nullptr) {
        return request;
      }
      *status = grpc::Status::OK;
      auto& pair =
          static_cast<Pair&>(*static_cast<grpc::MessageHolder<Request, Response>*>(*messages));
      pair.NotParsed();
      return pair.request();
    }

   private:
    grpc::internal::CallbackUnaryHandler<Request, Response> handler_;
  };

  static Pair& PairOf(grpc::CallbackServerContext& context) {
    return static_cast<Pair&>(*context.GetRpcAllocatorState());
  }

  static grpc::ServerUnaryReactor* Answer(const Begin& begin,
                                          grpc::CallbackServerContext& context,
                                          const Request& request,
                                          Response& response) {
    const auto refuse = [&context](const absl::Status& status) {
      const grpc::Status told = ToGrpcStatus(status);
      PairOf(context).meter().EndsWith(told.error_code(), context);
      grpc::ServerUnaryReactor* const reactor = context.DefaultReactor();
      reactor->Finish(told);
      return reactor;
    };
    if (!PairOf(context).parsed()) {
      return refuse(rpc::CannotBeParsed(Request::descriptor()->full_name()));
    }
    try {
      return begin(&context, &request, &response);
    } catch (...) {
      return refuse(rpc::StatusOfException());
    }
  }

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
