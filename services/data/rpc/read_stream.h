// ReadStream: a call that is answered with many messages.

#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "common/memory/quiet_timer.h"
#include "common/rpc/caught.h"
#include "common/rpc/pool.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::data {

/// Makes a message on the pool, writes it, and makes the next only when it is written: a slow
/// client holds one message. Deletes itself when the call is done. A `Reader` has
/// `absl::StatusOr<bool> Next(Response&)`, false at the end.
template <typename Response, typename Reader>
class ReadStream final : public grpc::ServerWriteReactor<Response> {
 public:
  /// Called once, on the pool.
  using Open = std::function<absl::StatusOr<Reader>()>;

  /// Is `busy` until it is gone. Does not own the pool, which outlives the call.
  ReadStream(rpc::Pool& pool, QuietTimer::Busy busy, Open open)
      : busy_(std::move(busy)),
        pool_(pool),
        open_(std::move(open)) {
    Step();
  }

  void OnWriteDone(bool ok) override {
    if (ok) {
      Step();
    } else {
      this->Finish(ToGrpcStatus(Cancelled("the reader has gone")));
    }
  }

  void OnCancel() override { cancelled_ = true; }

  void OnDone() override { delete this; }

 private:
  void Step() {
    const absl::Status submitted = pool_.Submit([this] {
      const absl::StatusOr<bool> more = rpc::Caught([this] { return Next(); });
      if (more.ok() && *more) {
        this->StartWrite(&response_);  // last: the write may be done before this returns
      } else {
        this->Finish(ToGrpcStatus(more.status()));
      }
    });
    if (!submitted.ok()) {
      this->Finish(ToGrpcStatus(submitted));
    }
  }

  absl::StatusOr<bool> Next() {
    if (cancelled_) {
      return Cancelled("the reader has cancelled");
    }
    if (!reader_.has_value()) {
      ASSIGN_OR_RETURN(reader_, open_());
    }
    return reader_->Next(response_);
  }

  const QuietTimer::Busy busy_;  // first: it ends when all below is freed
  rpc::Pool& pool_;
  Open open_;
  std::atomic<bool> cancelled_{false};
  std::optional<Reader> reader_;
  Response response_;
};

}  // namespace millrace::data
