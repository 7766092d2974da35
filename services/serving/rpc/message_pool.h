// MessagePool: request and response messages of one method, used again from call to call.

#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <google/protobuf/arena.h>
#include <grpcpp/support/message_allocator.h>

namespace millrace::serving {

/// Gives gRPC the messages of a call without asking the heap for each of their parts: a request is
/// built in a block that is wiped afterwards, and a response keeps what its last call left in it,
/// so that the handler overwrites only what differs. Thread-safe; must outlive the server.
///
/// What is kept is bounded: kKeptMax pairs, each with one block and one response of up to
/// kResponseBytesMax as last sent.
template <typename Request, typename Response>
class MessagePool final : public grpc::MessageAllocator<Request, Response> {
 public:
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

    void Begin() { this->set_request(google::protobuf::Arena::CreateMessage<Request>(&arena_)); }

    void Release() override {
      arena_.Reset();
      pool_.Keep(std::unique_ptr<Pair>(this));
    }

    [[nodiscard]] bool IsSmall() const { return answer_.GetCachedSize() <= kResponseBytesMax; }

   private:
    MessagePool& pool_;
    std::vector<char> block_;
    google::protobuf::Arena arena_;
    Response answer_;
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

  std::mutex mutex_;
  std::vector<std::unique_ptr<Pair>> kept_;  // guarded by mutex_
};

}  // namespace millrace::serving
