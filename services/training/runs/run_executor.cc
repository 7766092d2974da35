#include "services/training/runs/run_executor.h"

#include <algorithm>
#include <csignal>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "common/patience/passing.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "common/telemetry/log.h"
#include "services/training/runs/run_folder.h"
#include "services/training/runs/run_state.h"

namespace millrace::training {

namespace {

using v1::Run;

// A worker that is gone must not end us through its pipe.
void BlockPipeSignal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

const v1::WorkerResult* ResultOf(const absl::StatusOr<WorkerEnd>& end) {
  return end.ok() && end->last.has_value() && end->last->has_result() ? &end->last->result()
                                                                      : nullptr;
}

bool HasCrashed(const absl::StatusOr<WorkerEnd>& end) {
  return end.ok() && !end->last.has_value() && end->signal != 0;
}

v1::RunEvent NoteOf(std::string text) {
  v1::RunEvent event;
  event.set_note(std::move(text));
  return event;
}

// Whether the worker let another run pass, because it waited for long.
bool GaveWay(const absl::StatusOr<WorkerEnd>& end) {
  return end.ok() && end->last.has_value() && end->last->has_gave_way();
}

// Whether the worker ended because it was asked to, and for nothing of its own.
bool EndedOnWish(const absl::StatusOr<WorkerEnd>& end) {
  if (!end.ok()) {
    return absl::IsCancelled(end.status());
  }
  return GaveWay(end) || !end->last.has_value() ||
         end->last->failure().code() == static_cast<int>(absl::StatusCode::kCancelled);
}

absl::StatusCode CodeOf(const absl::StatusOr<WorkerEnd>& end) {
  if (!end.ok()) {
    return end.status().code();
  }
  return end->last.has_value() ? static_cast<absl::StatusCode>(end->last->failure().code())
                               : absl::StatusCode::kInternal;
}

std::string FailureOf(const absl::StatusOr<WorkerEnd>& end) {
  if (!end.ok()) {
    return MessageWithFix(end.status());
  }
  if (end->last.has_value()) {
    return end->last->failure().message();
  }
  return fmt::format(
      "the worker {} before it had a result{}",
      end->process,
      HasCrashed(end)
          ? fmt::format(", as in the {} starts before without a new epoch or checkpoint",
                        kIdleStartsMax - 1)
          : "");
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunExecutor>> RunExecutor::Start(RunStore& store,
                                                                ExecutorOptions options) {
  RETURN_IF_ERROR(storage::PosixFileSystem().MakeFolder(options.folder));
  std::unique_ptr<RunExecutor> executor(new RunExecutor(store, std::move(options)));
  PublisherOptions publisher = executor->options_.publisher;
  publisher.folder = executor->options_.folder;
  RETURN_IF_ERROR(executor->TakeUp());
  ASSIGN_OR_RETURN(executor->publisher_,
                   RunPublisher::Start(store, executor->metrics_, std::move(publisher)));
  for (int i = 0; i < executor->options_.workers_max; ++i) {
    executor->threads_.emplace_back([raw = executor.get()] { raw->Work(); });
  }
  return executor;
}

RunExecutor::~RunExecutor() {
  Stop();
}

// A full disk is no reason not to start.
absl::Status RunExecutor::NoteRestart(const std::string& name) {
  const absl::Status noted =
      store_.Append(name, {NoteOf("the training service was restarted, and the run goes on")});
  return IsPassing(noted) ? absl::OkStatus() : noted;
}

// Adds the numbers of runs in `state` to `numbers`, and those that are to be executed to the queue.
absl::Status RunExecutor::TakeUpIn(Run::State state, std::set<std::int64_t>& numbers) {
  const bool has_begun = state == Run::STATE_RUNNING || state == Run::STATE_WAITING;
  ASSIGN_OR_RETURN(const std::vector<Run> runs, store_.InState(state));
  for (const Run& run : runs) {
    ASSIGN_OR_RETURN(const std::int64_t number, store_.NumberOf(run.name()));
    numbers.insert(number);
    RETURN_IF_ERROR(has_begun ? NoteRestart(run.name()) : absl::OkStatus());
    if (has_begun || state == Run::STATE_QUEUED) {
      waiting_.push_back({.name = run.name(), .gave_way = state == Run::STATE_WAITING});
    }
  }
  return absl::OkStatus();
}

absl::Status RunExecutor::TakeUp() {
  ASSIGN_OR_RETURN(const std::vector<Run> cancelling, store_.InState(Run::STATE_CANCELLING));
  for (const Run& run : cancelling) {
    const absl::Status cancelled = store_.Move(run.name(), Run::STATE_CANCELLED).status();
    if (IsPassing(cancelled)) {  // a full disk is no reason not to start
      waiting_.push_back({.name = run.name()});
      continue;
    }
    RETURN_IF_ERROR(cancelled);
    metrics_.RunEnded(Run::STATE_CANCELLED);
  }
  std::set<std::int64_t> numbers;
  for (const Run::State state : {Run::STATE_RUNNING,
                                 Run::STATE_WAITING,
                                 Run::STATE_QUEUED,
                                 Run::STATE_PUBLISHING,
                                 Run::STATE_UNPUBLISHED}) {
    RETURN_IF_ERROR(TakeUpIn(state, numbers));
  }
  TellQueue();
  RemoveOthers(options_.folder, numbers);
  return absl::OkStatus();
}

absl::StatusOr<Run> RunExecutor::Create(Run run, const std::string& request_id) {
  const std::lock_guard lock(mutex_);
  if (!request_id.empty()) {
    ASSIGN_OR_RETURN(std::optional<Run> known, store_.FindByRequest(request_id));
    if (known.has_value()) {
      return *std::move(known);
    }
  }
  if (stopping_.stop_requested()) {
    return Unavailable("the training service is stopping");
  }
  const std::size_t runs = waiting_.size() + beginning_ + executing_.size();
  if (runs >= options_.runs_max + static_cast<std::size_t>(options_.workers_max)) {
    return WithFix(ResourceExhausted("the queue is full: {} runs have not ended", runs),
                   "wait for one to end, or cancel one: millrace run cancel");
  }
  ASSIGN_OR_RETURN(Run added, store_.Add(std::move(run), request_id));
  waiting_.push_back({.name = added.name()});
  TellQueue();
  changed_.notify_one();
  return added;
}

absl::StatusOr<Run> RunExecutor::Cancel(const std::string& name) {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(Run run, store_.Get(name));
  if (IsTerminal(run.state())) {
    return FailedPrecondition(
        "{} has already {}",
        name,
        run.state() == Run::STATE_CANCELLED ? "been cancelled" : StateName(run.state()));
  }
  if (run.state() == Run::STATE_UNPUBLISHED) {
    return WithFix(FailedPrecondition("{} is unpublished, and nothing is under way", name),
                   "remove it: millrace run rm, or publish it: millrace run publish");
  }
  if (run.state() == Run::STATE_CANCELLING) {
    return run;
  }
  if (run.state() == Run::STATE_PUBLISHING) {
    return publisher_->Cancel(name);
  }
  const auto executing = executing_.find(name);
  if (executing == executing_.end()) {
    return CancelWaiting(run);
  }
  ASSIGN_OR_RETURN(run, store_.Move(name, Run::STATE_CANCELLING));
  executing->second.request_stop();
  return run;
}

// Requires: mutex_ is held.
absl::StatusOr<Run> RunExecutor::CancelWaiting(const Run& run) {
  std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.name == run.name(); });
  TellQueue();
  if (run.state() != Run::STATE_QUEUED) {  // it had a worker before
    RETURN_IF_ERROR(store_.Move(run.name(), Run::STATE_CANCELLING).status());
    RemoveFolderOf(run.name());
  }
  ASSIGN_OR_RETURN(Run cancelled, store_.Move(run.name(), Run::STATE_CANCELLED));
  metrics_.RunEnded(Run::STATE_CANCELLED);
  return cancelled;
}

absl::Status RunExecutor::Delete(const std::string& name) {
  ASSIGN_OR_RETURN(const std::int64_t number, store_.Delete(name));
  RemoveRunFolder(options_.folder, number);
  log::Info("run removed", {{"run", name}});
  return absl::OkStatus();
}

void RunExecutor::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_.request_stop();
    for (auto& [name, stop] : executing_) {
      stop.request_stop();
    }
  }
  changed_.notify_all();
  if (publisher_ != nullptr) {
    publisher_->Stop();
  }
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

// A thread of the executor: one run after the other.
void RunExecutor::Work() {
  BlockPipeSignal();
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_.stop_requested() || !waiting_.empty(); });
    if (stopping_.stop_requested()) {
      return;
    }
    const std::string name = waiting_.front().name;
    waiting_.pop_front();
    ++beginning_;
    TellQueue();
    lock.unlock();
    std::stop_token stop;
    const absl::Status begun =
        Persist(name, stopping_.get_token(), [&] { return Begin(name, stop); });
    if (begun.ok()) {
      Execute(name, stop);
      continue;
    }
    if (!stopping_.stop_requested()) {  // it was cancelled or removed meanwhile
      log::Warning("run not started", {{"run", name}, {"error", std::string(Message(begun))}});
    }
    lock.lock();
    --beginning_;
  }
}

// Does `store` until the medium takes it: what was reached is not dropped because a disk is full.
// CANCELLED when `stop` is requested before.
absl::Status RunExecutor::Persist(const std::string& name,
                                  const std::stop_token& stop,
                                  const std::function<absl::Status()>& store) {
  absl::Status status = store();
  if (!IsPassing(status)) {
    return status;
  }
  log::Error("run blocked: its step cannot be stored",
             {{"run", name}, {"error", std::string(Message(status))}});
  metrics_.RunBlocked();
  Backoff backoff(options_.store_waits);
  while (IsPassing(status) && !stop.stop_requested()) {
    WaitUnlessStopped(backoff.Next(status), stop);
    status = store();
  }
  metrics_.RunUnblocked();
  if (IsPassing(status)) {
    return Cancelled("stopped while the store could not be written: {}", Message(status));
  }
  log::Info("run goes on: its step is stored", {{"run", name}});
  return status;
}

// A run that had no worker before runs from now on; any has one.
absl::Status RunExecutor::Begin(const std::string& name, std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const Run run, store_.Get(name));
  if (run.state() == Run::STATE_CANCELLING) {
    RETURN_IF_ERROR(store_.Move(name, Run::STATE_CANCELLED).status());
    metrics_.RunEnded(Run::STATE_CANCELLED);
    return FailedPrecondition("{} was cancelled", name);
  }
  if (run.state() != Run::STATE_RUNNING && run.state() != Run::STATE_WAITING) {
    RETURN_IF_ERROR(store_.Move(name, Run::STATE_RUNNING).status());
  }
  --beginning_;
  std::stop_source& source = executing_[name];
  if (stopping_.stop_requested()) {  // Stop() has asked all others before
    source.request_stop();
  }
  stop = source.get_token();
  TellQueue();
  return absl::OkStatus();
}

void RunExecutor::Execute(const std::string& name, const std::stop_token& stop) {
  log::Info("run started", {{"run", name}});
  const absl::StatusOr<WorkerEnd> end = RunToItsEnd(name, stop);
  absl::StatusOr<Run> run;
  const absl::Status stored = Persist(name, stopping_.get_token(), [&] {
    const std::lock_guard lock(mutex_);
    run = Finish(name, end);
    if (run.ok()) {
      Leave(*run);
    }
    return run.status();
  });
  if (!stored.ok()) {
    {
      const std::lock_guard lock(mutex_);
      executing_.erase(name);
      TellQueue();
    }
    log::Error("end of run not stored", {{"run", name}, {"error", std::string(Message(stored))}});
  } else if (IsAtRest(run->state())) {
    TidyUp(*run);
  } else {
    log::Info("worker ended, and the run goes on",
              {{"run", name}, {"state", std::string(StateName(run->state()))}});
  }
}

// Its worker is free, and one that waits for data is in the queue again. Requires: mutex_ is held.
void RunExecutor::Leave(const Run& run) {
  executing_.erase(run.name());
  if (run.state() == Run::STATE_WAITING && !stopping_.stop_requested()) {
    LetAnotherPass(run.name());
  }
  TellQueue();
}

// Behind the next run that has not let others pass yet: two that wait for the same must not keep a
// third one out. Requires: mutex_ is held.
void RunExecutor::LetAnotherPass(const std::string& name) {
  auto next = std::find_if(
      waiting_.begin(), waiting_.end(), [](const Waiting& other) { return !other.gave_way; });
  next = next == waiting_.end() ? next : std::next(next);
  waiting_.insert(next, {.name = name, .gave_way = true});
  changed_.notify_one();
}

// What a run leaves when it comes to rest.
void RunExecutor::TidyUp(const Run& run) {
  log::Info("run ended",
            {{"run", run.name()},
             {"state", std::string(StateName(run.state()))},
             {"failure", run.failure()}});
  if (IsTerminal(run.state())) {
    metrics_.RunEnded(run.state());
    RemoveFolderOf(run.name());
  }
  store_.ThinEpochs(run.name()).IgnoreError();  // once more at the next start
}

// Starts workers until one ends by itself, or crashes where those before it did.
absl::StatusOr<WorkerEnd> RunExecutor::RunToItsEnd(const std::string& name,
                                                   const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const Run run, store_.Get(name));
  Progress progress{.epoch = run.epochs_done()};
  int idle_starts = 0;
  while (true) {
    const Progress before = progress;
    absl::StatusOr<WorkerEnd> end = RunInWorker(name, stop, progress);
    const bool is_idle = progress.epoch == before.epoch && progress.step == before.step;
    idle_starts = is_idle ? idle_starts + 1 : 0;
    if (!HasCrashed(end) || stop.stop_requested() || idle_starts == kIdleStartsMax) {
      return end;
    }
    metrics_.WorkerCrashed();
    log::Warning("worker crashed", {{"run", name}, {"how", end->process}});
    RETURN_IF_ERROR(Persist(name, stop, [&] {
      return store_.Append(
          name, {NoteOf(fmt::format("the worker {} and is started again", end->process))});
    }));
  }
}

absl::StatusOr<v1::WorkerTask> RunExecutor::TaskOf(const Run& run) {
  ASSIGN_OR_RETURN(const std::int64_t number, store_.NumberOf(run.name()));
  ASSIGN_OR_RETURN(std::string request_id, store_.RequestOf(run.name()));
  v1::WorkerTask task;
  task.set_run(run.name());
  task.set_dataset_version(run.dataset_version());
  task.set_model(run.model());
  *task.mutable_spec() = run.spec();
  task.set_data_address(options_.data_address);
  task.set_folder(RunFolder(options_.folder, number));
  task.set_examples_bytes_max(options_.examples_bytes_max);
  task.set_checkpoint_seconds(options_.checkpoint_seconds);
  *task.mutable_tls() = options_.tls;
  task.set_token_file(options_.token_file);
  task.set_request_id(std::move(request_id));
  task.set_epochs_done(run.epochs_done());
  *task.mutable_create_time() = run.create_time();
  return task;
}

absl::StatusOr<WorkerEnd> RunExecutor::RunInWorker(const std::string& name,
                                                   const std::stop_token& stop,
                                                   Progress& progress) {
  ASSIGN_OR_RETURN(const Run run, store_.Get(name));
  ASSIGN_OR_RETURN(const v1::WorkerTask task, TaskOf(run));
  RETURN_IF_ERROR(
      Persist(name, stop, [&] { return storage::PosixFileSystem().MakeFolder(task.folder()); }));
  return RunWorker(options_.worker, task, stop, [&](std::vector<v1::WorkerReport> reports) {
    return Take(name, std::move(reports), stop, progress);
  });
}

void RunExecutor::TakeEpoch(std::int32_t epoch, Progress& progress) {
  if (epoch > progress.epoch) {
    metrics_.EpochEnded();
  }
  progress.epoch = std::max(progress.epoch, epoch);
}

// As many epochs and notes as came together are one commit.
absl::Status RunExecutor::Take(const std::string& name,
                               std::vector<v1::WorkerReport> reports,
                               const std::stop_token& stop,
                               Progress& progress) {
  std::vector<v1::RunEvent> events;
  const auto store_events = [&] {
    return events.empty() ? absl::OkStatus() : store_.Append(name, events);
  };
  const auto wait = [&](const std::string& reason) -> absl::Status {
    RETURN_IF_ERROR(Persist(name, stop, store_events));
    events.clear();
    return Persist(name, stop, [&] { return TakeWaiting(name, reason); });
  };
  for (v1::WorkerReport& report : reports) {
    RETURN_IF_ERROR(report.has_waiting() ? wait(report.waiting()) : absl::OkStatus());
    if (report.has_epoch()) {
      TakeEpoch(report.epoch().epoch(), progress);
      *events.emplace_back().mutable_epoch() = std::move(*report.mutable_epoch());
    } else if (report.has_checkpoint()) {
      progress.step = std::max(progress.step, report.checkpoint().step());
    } else if (report.has_note()) {
      events.push_back(NoteOf(std::move(*report.mutable_note())));
    }
  }
  return Persist(name, stop, store_events);
}

// Tells what a run waits for when that changes; nothing: it runs.
absl::Status RunExecutor::TakeWaiting(const std::string& name, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const Run run, store_.Get(name));
  if (run.state() == Run::STATE_CANCELLING || run.reason() == reason) {
    return absl::OkStatus();
  }
  return store_
      .Move(name,
            reason.empty() ? Run::STATE_RUNNING : Run::STATE_WAITING,
            [&](Run& waiting) { waiting.set_reason(reason); })
      .status();
}

// Moves a run whose worker has ended, unless it is to go on. Requires: mutex_ is held.
absl::StatusOr<Run> RunExecutor::Finish(const std::string& name,
                                        const absl::StatusOr<WorkerEnd>& end) {
  ASSIGN_OR_RETURN(Run run, store_.Get(name));
  if (run.state() == Run::STATE_CANCELLING) {
    return store_.Move(name, Run::STATE_CANCELLED);
  }
  if (const v1::WorkerResult* const result = ResultOf(end)) {
    return FinishTrained(name, *result);
  }
  if (stopping_.stop_requested() && EndedOnWish(end)) {
    return run;
  }
  if (GaveWay(end)) {
    return run.state() == Run::STATE_WAITING
               ? run
               : store_.Move(name, Run::STATE_WAITING, [&](Run& waiting) {
                   waiting.set_reason(end->last->gave_way());
                 });
  }
  return store_.Move(name, Run::STATE_FAILED, [&](Run& failed) {
    failed.set_failure(FailureOf(end));
    failed.set_failure_code(static_cast<int>(CodeOf(end)));
  });
}

// Requires: mutex_ is held.
absl::StatusOr<Run> RunExecutor::FinishTrained(const std::string& name,
                                               const v1::WorkerResult& result) {
  const bool is_kept_back = !result.kept_back().empty();
  ASSIGN_OR_RETURN(
      Run run,
      store_.Move(
          name, is_kept_back ? Run::STATE_UNPUBLISHED : Run::STATE_PUBLISHING, [&](Run& trained) {
            trained.set_best_epoch(result.best_epoch());
            *trained.mutable_evaluations() = result.evaluations();
            trained.set_weights_sha256(result.weights_sha256());
            trained.set_reason(result.kept_back());
          }));
  if (!is_kept_back) {
    publisher_->Add(name);
  }
  return run;
}

// Requires: mutex_ is held, or no thread runs yet.
void RunExecutor::TellQueue() {
  metrics_.SetQueue(waiting_.size(), executing_.size());
}

void RunExecutor::RemoveFolderOf(const std::string& name) {
  const absl::StatusOr<std::int64_t> number = store_.NumberOf(name);
  if (number.ok()) {
    RemoveRunFolder(options_.folder, *number);
  }
}

}  // namespace millrace::training
