#include "services/training/runs/run_executor.h"

#include <algorithm>
#include <csignal>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

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

std::vector<v1::RunEvent> EventsOf(std::vector<v1::WorkerReport> reports) {
  std::vector<v1::RunEvent> events;
  for (v1::WorkerReport& report : reports) {
    if (report.has_epoch()) {
      *events.emplace_back().mutable_epoch() = std::move(*report.mutable_epoch());
    } else if (report.has_note()) {
      events.emplace_back().set_note(std::move(*report.mutable_note()));
    }
  }
  return events;
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

// Whether the worker ended because it was asked to, and for nothing of its own.
bool EndedOnWish(const absl::StatusOr<WorkerEnd>& end) {
  return end.ok() && (!end->last.has_value() || end->last->failure().code() ==
                                                    static_cast<int>(absl::StatusCode::kCancelled));
}

std::string FailureOf(const absl::StatusOr<WorkerEnd>& end) {
  if (!end.ok()) {
    const std::string fix = Fix(end.status());
    return std::string(Message(end.status())) + (fix.empty() ? "" : "; " + fix);
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
  RETURN_IF_ERROR(executor->TakeUp());
  for (int i = 0; i < executor->options_.workers_max; ++i) {
    executor->threads_.emplace_back([raw = executor.get()] { raw->Work(); });
  }
  return executor;
}

RunExecutor::~RunExecutor() {
  Stop();
}

absl::Status RunExecutor::TakeUp() {
  ASSIGN_OR_RETURN(const std::vector<Run> cancelling, store_.InState(Run::STATE_CANCELLING));
  for (const Run& run : cancelling) {
    RETURN_IF_ERROR(store_.Move(run.name(), Run::STATE_CANCELLED).status());
    metrics_.RunEnded(Run::STATE_CANCELLED);
  }
  std::set<std::int64_t> numbers;
  ASSIGN_OR_RETURN(const std::vector<Run> running, store_.InState(Run::STATE_RUNNING));
  for (const Run& run : running) {
    RETURN_IF_ERROR(store_.Append(
        run.name(), {NoteOf("the training service was restarted, and the run goes on")}));
    ASSIGN_OR_RETURN(const std::int64_t number, store_.NumberOf(run.name()));
    numbers.insert(number);
    waiting_.push_back(run.name());
  }
  ASSIGN_OR_RETURN(const std::vector<Run> queued, store_.InState(Run::STATE_QUEUED));
  for (const Run& run : queued) {
    waiting_.push_back(run.name());
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
  if (stopping_) {
    return Unavailable("the training service is stopping");
  }
  const std::size_t runs = waiting_.size() + executing_.size();
  if (runs >= options_.runs_max + static_cast<std::size_t>(options_.workers_max)) {
    return WithFix(ResourceExhausted("the queue is full: {} runs have not ended", runs),
                   "wait for one to end, or cancel one: millrace run cancel");
  }
  ASSIGN_OR_RETURN(Run added, store_.Add(std::move(run), request_id));
  waiting_.push_back(added.name());
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
  if (run.state() == Run::STATE_CANCELLING) {
    return run;
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
  std::erase(waiting_, run.name());
  TellQueue();
  if (run.state() == Run::STATE_RUNNING) {  // an earlier service had started it
    RETURN_IF_ERROR(store_.Move(run.name(), Run::STATE_CANCELLING).status());
    RemoveFolderOf(run.name());
  }
  ASSIGN_OR_RETURN(Run cancelled, store_.Move(run.name(), Run::STATE_CANCELLED));
  metrics_.RunEnded(Run::STATE_CANCELLED);
  return cancelled;
}

void RunExecutor::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& [name, stop] : executing_) {
      stop.request_stop();
    }
  }
  changed_.notify_all();
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
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) {
      return;
    }
    const std::string name = waiting_.front();
    waiting_.pop_front();
    TellQueue();
    const absl::Status running = MakeRunning(name);
    if (!running.ok()) {
      // It stays as it is in the store and is taken up at the next start.
      log::Error("run not started", {{"run", name}, {"error", std::string(Message(running))}});
      continue;
    }
    const std::stop_token stop = executing_[name].get_token();
    TellQueue();
    lock.unlock();
    Execute(name, stop);
  }
}

// Requires: mutex_ is held.
absl::Status RunExecutor::MakeRunning(const std::string& name) {
  ASSIGN_OR_RETURN(const Run run, store_.Get(name));
  return run.state() == Run::STATE_RUNNING ? absl::OkStatus()
                                           : store_.Move(name, Run::STATE_RUNNING).status();
}

void RunExecutor::Execute(const std::string& name, const std::stop_token& stop) {
  log::Info("run started", {{"run", name}});
  const absl::StatusOr<WorkerEnd> end = RunToItsEnd(name, stop);
  absl::StatusOr<Run> run;
  {
    const std::lock_guard lock(mutex_);
    executing_.erase(name);
    TellQueue();
    run = Finish(name, end);
  }
  if (!run.ok()) {
    log::Error("end of run not stored",
               {{"run", name}, {"error", std::string(Message(run.status()))}});
    return;
  }
  if (!IsTerminal(run->state())) {
    log::Info("run goes on at the next start", {{"run", name}});
    return;
  }
  metrics_.RunEnded(run->state());
  log::Info("run ended",
            {{"run", name},
             {"state", std::string(StateName(run->state()))},
             {"failure", run->failure()}});
  RemoveFolderOf(name);
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
    RETURN_IF_ERROR(store_.Append(
        name, {NoteOf(fmt::format("the worker {} and is started again", end->process))}));
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
  task.set_serving_address(options_.serving_address);
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
  RETURN_IF_ERROR(storage::PosixFileSystem().MakeFolder(task.folder()));
  return RunWorker(options_.worker, task, stop, [&](std::vector<v1::WorkerReport> reports) {
    return Take(name, std::move(reports), progress);
  });
}

absl::Status RunExecutor::Take(const std::string& name,
                               std::vector<v1::WorkerReport> reports,
                               Progress& progress) {
  for (const v1::WorkerReport& report : reports) {
    if (report.epoch().epoch() > progress.epoch) {
      metrics_.EpochEnded();
    }
    progress.epoch = std::max(progress.epoch, report.epoch().epoch());
    progress.step = std::max(progress.step, report.checkpoint().step());
  }
  std::vector<v1::RunEvent> events = EventsOf(std::move(reports));
  return events.empty() ? absl::OkStatus() : store_.Append(name, std::move(events));
}

// Moves a run whose worker has ended, unless it is to go on at the next start. Requires: mutex_ is
// held.
absl::StatusOr<Run> RunExecutor::Finish(const std::string& name,
                                        const absl::StatusOr<WorkerEnd>& end) {
  ASSIGN_OR_RETURN(Run run, store_.Get(name));
  if (const v1::WorkerResult* const result = ResultOf(end)) {
    return store_.Move(name, Run::STATE_SUCCEEDED, [&](Run& succeeded) {
      succeeded.set_best_epoch(result->best_epoch());
      *succeeded.mutable_evaluations() = result->evaluations();
      succeeded.set_model_version(result->model_version());
      succeeded.set_weights_sha256(result->weights_sha256());
    });
  }
  if (run.state() == Run::STATE_CANCELLING) {
    return store_.Move(name, Run::STATE_CANCELLED);
  }
  if (stopping_ && EndedOnWish(end)) {
    return run;
  }
  return store_.Move(
      name, Run::STATE_FAILED, [&](Run& failed) { failed.set_failure(FailureOf(end)); });
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
