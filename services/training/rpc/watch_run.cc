#include "services/training/rpc/watch_run.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/resource/name.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "services/training/runs/run_state.h"

namespace millrace::training {

namespace {

using v1::RunEvent;

// Events that are read at once and kept until the caller has taken them.
constexpr std::int64_t kEventsMax = 16;

// A call is in one of two places: busy (reading the store in the pool, or with a write under way),
// where it goes on by itself, or idle, where RunChanged() or OnCancel() makes it busy again. What
// the busy one touches is its own; `mutex_` guards the change of place.
class Watch final : public grpc::ServerWriteReactor<RunEvent>, public RunListener {
 public:
  Watch(RunStore& store, rpc::Pool& pool, const v1::WatchRunRequest& request)
      : store_(store),
        pool_(pool),
        name_(request.name()),
        sequence_(request.after_sequence()) {}

  // Keeps itself alive until OnDone().
  void Start(const std::shared_ptr<Watch>& self) {
    self_ = self;
    const absl::Status named = ParseRunName("name", name_).status();
    if (!named.ok() || sequence_ < 0) {
      Finish(ToGrpcStatus(
          named.ok() ? InvalidArgument("after_sequence must not be negative, found {}", sequence_)
                     : named));
      return;
    }
    store_.Listen(name_, self);
    ReadInPool();
  }

  void RunChanged() override {
    {
      const std::lock_guard lock(mutex_);
      changed_ = true;
      if (busy_) {
        return;
      }
      busy_ = true;
    }
    ReadInPool();
  }

  void OnCancel() override {
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      if (busy_) {
        return;
      }
      busy_ = true;
    }
    FinishCancelled();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) {
      FinishCancelled();
    } else if (next_ < events_.size()) {
      WriteNext();
    } else {
      ReadInPool();
    }
  }

  void OnDone() override { const std::shared_ptr<Watch> last = std::move(self_); }

 private:
  void FinishCancelled() { Finish(ToGrpcStatus(Cancelled("the watch was cancelled"))); }

  void ReadInPool() {
    const absl::Status submitted = pool_.Submit([this] { Read(); });
    if (!submitted.ok()) {
      Finish(ToGrpcStatus(submitted));
    }
  }

  void WriteNext() {
    const RunEvent& event = events_[next_++];
    sequence_ = event.sequence();
    StartWrite(&event);
  }

  void Read() {
    do {
      // The state first: a run that was at rest by then has no events after those that follow.
      const absl::StatusOr<v1::Run> run = store_.Get(name_);
      absl::StatusOr<std::vector<RunEvent>> events = store_.Events(name_, sequence_, kEventsMax);
      if (!run.ok() || !events.ok()) {
        Finish(ToGrpcStatus(run.ok() ? events.status() : run.status()));
        return;
      }
      if (!events->empty()) {
        events_ = *std::move(events);
        next_ = 0;
        WriteNext();
        return;
      }
      if (IsAtRest(run->state())) {
        Finish(grpc::Status::OK);
        return;
      }
    } while (!BecomeIdle());
  }

  // False when there is something to do at once: new events. A cancelled call is finished instead.
  bool BecomeIdle() {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(changed_, false) && !cancelled_) {
        return false;
      }
      busy_ = cancelled_;
      if (!cancelled_) {
        return true;
      }
    }
    FinishCancelled();
    return true;
  }

  RunStore& store_;
  rpc::Pool& pool_;
  const std::string name_;
  std::int64_t sequence_;         // of the last event that was written
  std::vector<RunEvent> events_;  // read and not yet taken
  std::size_t next_ = 0;          // of events_
  std::mutex mutex_;
  bool busy_ = true;        // guarded by mutex_
  bool changed_ = false;    // guarded by mutex_; since the store was last found empty
  bool cancelled_ = false;  // guarded by mutex_
  std::shared_ptr<Watch> self_;
};

}  // namespace

grpc::ServerWriteReactor<RunEvent>* StartWatchRun(RunStore& store,
                                                  rpc::Pool& pool,
                                                  const v1::WatchRunRequest& request) {
  const auto watch = std::make_shared<Watch>(store, pool, request);
  watch->Start(watch);
  return watch.get();
}

}  // namespace millrace::training
