#include "services/training/runs/run_publisher.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/clock/random.h"
#include "common/patience/passing.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "services/training/runs/run_folder.h"
#include "services/training/runs/run_state.h"

namespace millrace::training {

namespace {

using std::chrono::steady_clock;
using v1::Run;

constexpr std::string_view kServing = "the serving service";

}  // namespace

absl::StatusOr<std::unique_ptr<RunPublisher>> RunPublisher::Start(RunStore& store,
                                                                  RunMetrics& metrics,
                                                                  PublisherOptions options) {
  std::unique_ptr<RunPublisher> publisher(new RunPublisher(store, metrics, std::move(options)));
  ASSIGN_OR_RETURN(const std::vector<Run> runs, store.InState(Run::STATE_PUBLISHING));
  for (const Run& run : runs) {
    publisher->Add(run.name());
  }
  publisher->thread_ = std::thread([raw = publisher.get()] { raw->Work(); });
  return publisher;
}

RunPublisher::~RunPublisher() {
  Stop();
}

void RunPublisher::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& [name, entry] : entries_) {
      entry.stop.request_stop();
    }
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void RunPublisher::Add(const std::string& name) {
  const std::lock_guard lock(mutex_);
  Insert(name);
}

// Requires: mutex_ is held.
void RunPublisher::Insert(const std::string& name) {
  const Time now = steady_clock::now();
  entries_.insert_or_assign(name,
                            Entry{.id = ++last_id_,
                                  .next = now,
                                  .end = now + options_.limit,
                                  .upload_id = RandomHex(16),
                                  .backoff = Backoff(options_.waits)});
  metrics_.SetPublishing(entries_.size());
  changed_.notify_all();
}

// Requires: mutex_ is held.
void RunPublisher::Erase(Entries::iterator entry) {
  if (entry->second.is_blocked) {
    metrics_.RunUnblocked();
  }
  entries_.erase(entry);
  metrics_.SetPublishing(entries_.size());
}

absl::StatusOr<Run> RunPublisher::Publish(const std::string& name) {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(Run run, store_.Get(name));
  if (run.state() == Run::STATE_PUBLISHING) {
    const auto entry = entries_.find(name);
    if (entry != entries_.end()) {
      entry->second.at_once = true;
      entry->second.next = steady_clock::now();
      changed_.notify_all();
    }
    return run;
  }
  if (run.state() != Run::STATE_UNPUBLISHED) {
    return FailedPrecondition("{} is {} and has nothing to publish", name, StateName(run.state()));
  }
  ASSIGN_OR_RETURN(run, store_.Move(name, Run::STATE_PUBLISHING));
  Insert(name);
  return run;
}

absl::StatusOr<Run> RunPublisher::Cancel(const std::string& name) {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(Run run, store_.Move(name, Run::STATE_UNPUBLISHED, [](Run& unpublished) {
    unpublished.set_reason("its publishing was cancelled");
  }));
  const auto entry = entries_.find(name);
  if (entry != entries_.end()) {
    entry->second.stop.request_stop();
    Erase(entry);
  }
  return run;
}

// Requires: mutex_ is held.
RunPublisher::Entries::iterator RunPublisher::Earliest() {
  return std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
    return a.second.next < b.second.next;
  });
}

void RunPublisher::Work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto earliest = Earliest();
    if (earliest == entries_.end()) {
      changed_.wait(lock);
      continue;
    }
    if (earliest->second.next > steady_clock::now()) {
      changed_.wait_until(lock, Time(earliest->second.next));  // the entry may go meanwhile
      continue;
    }
    const std::string name = earliest->first;
    const std::int64_t id = earliest->second.id;
    const std::string upload_id = earliest->second.upload_id;
    const std::stop_token stop = earliest->second.stop.get_token();
    std::optional<Result> result = earliest->second.unstored;
    if (!result.has_value()) {
      earliest->second.at_once = false;
      lock.unlock();
      result = Attempt(name, upload_id, stop);
      lock.lock();
    }
    Settle(name, id, *result);
  }
}

RunPublisher::Result RunPublisher::Attempt(const std::string& name,
                                           const std::string& upload_id,
                                           const std::stop_token& stop) {
  TrainedRun trained;
  trained.upload_id = upload_id;
  ASSIGN_OR_RETURN(trained.run, store_.Get(name));
  ASSIGN_OR_RETURN(trained.request_id, store_.RequestOf(name));
  ASSIGN_OR_RETURN(const std::int64_t number, store_.NumberOf(name));
  trained.folder = RunFolder(options_.folder, number);
  return options_.send(trained, stop);
}

// What an attempt has come to. Requires: mutex_ is held.
void RunPublisher::Settle(const std::string& name, std::int64_t id, const Result& result) {
  const auto found = entries_.find(name);
  if (stopping_ || found == entries_.end() || found->second.id != id) {
    return;  // it was cancelled, or goes on at the next start
  }
  Entry& entry = found->second;
  const bool time_is_over = steady_clock::now() >= entry.end;
  if (!result.ok() && IsMendable(result.status()) && !time_is_over) {
    TryLater(name, entry, result.status());
    return;
  }
  const absl::StatusOr<Run> run = StoreEnd(name, result);
  if (IsPassing(run.status())) {  // the medium's error
    if (!entry.is_blocked) {
      entry.is_blocked = true;
      metrics_.RunBlocked();
      log::Error("end of publishing not stored, tried again",
                 {{"run", name}, {"error", std::string(Message(run.status()))}});
    }
    entry.unstored = result;
    entry.next = steady_clock::now() + entry.backoff.Next(run.status());
    return;
  }
  Erase(found);
  if (run.ok()) {
    TidyUp(*run);
  }
}

// Requires: mutex_ is held.
void RunPublisher::TryLater(const std::string& name, Entry& entry, const absl::Status& why) {
  const std::string reason = WaitReason(kServing, why);
  const absl::StatusOr<Run> run = store_.Get(name);
  if (run.ok() && run->reason() != reason) {
    log::Warning("publishing is tried again",
                 {{"run", name}, {"error", std::string(Message(why))}});
    // What cannot be stored is only not told.
    store_.Move(name, Run::STATE_PUBLISHING, [&](Run& waiting) { waiting.set_reason(reason); })
        .status()
        .IgnoreError();
  }
  const Time later = steady_clock::now() + entry.backoff.Next(why);
  entry.next =
      std::exchange(entry.at_once, false) ? steady_clock::now() : std::min(later, entry.end);
}

absl::StatusOr<Run> RunPublisher::StoreEnd(const std::string& name, const Result& result) {
  if (result.ok()) {
    return store_.Move(
        name, Run::STATE_SUCCEEDED, [&](Run& succeeded) { succeeded.set_model_version(*result); });
  }
  return store_.Move(name, Run::STATE_UNPUBLISHED, [&](Run& unpublished) {
    unpublished.set_reason(
        IsMendable(result.status())  // and its time is over
            ? fmt::format("it was tried for {} seconds: {}",
                          std::chrono::ceil<std::chrono::seconds>(options_.limit).count(),
                          WaitReason(kServing, result.status()))
            : MessageWithFix(result.status()));
  });
}

// What a run leaves when it comes to rest.
void RunPublisher::TidyUp(const Run& run) {
  log::Info("run ended",
            {{"run", run.name()},
             {"state", std::string(StateName(run.state()))},
             {"reason", run.reason()}});
  const absl::StatusOr<std::int64_t> number = store_.NumberOf(run.name());
  if (run.state() == Run::STATE_SUCCEEDED) {
    metrics_.RunEnded(run.state());
    if (number.ok()) {
      RemoveRunFolder(options_.folder, *number);
    }
  }
  store_.ThinEpochs(run.name()).IgnoreError();  // once more at the next start
}

}  // namespace millrace::training
