#include "services/training/runs/run_executor.h"

#include <csignal>
#include <optional>
#include <string_view>
#include <utility>

#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "common/telemetry/log.h"
#include "services/training/runs/run_state.h"

namespace millrace::training {

namespace {

using v1::Run;

constexpr char kRestarted[] =
    "the training service was restarted while the run was going on; start the run again";
constexpr char kStopped[] =
    "the training service was stopped while the run was going on; start the run again";

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
  return fmt::format("the worker {} before it had a result", end->process);
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
  ASSIGN_OR_RETURN(const std::vector<Run> running, store_.InState(Run::STATE_RUNNING));
  for (const Run& run : running) {
    RETURN_IF_ERROR(
        store_.Move(run.name(), Run::STATE_FAILED, [](Run& r) { r.set_failure(kRestarted); })
            .status());
  }
  ASSIGN_OR_RETURN(const std::vector<Run> cancelling, store_.InState(Run::STATE_CANCELLING));
  for (const Run& run : cancelling) {
    RETURN_IF_ERROR(store_.Move(run.name(), Run::STATE_CANCELLED).status());
  }
  ASSIGN_OR_RETURN(const std::vector<Run> queued, store_.InState(Run::STATE_QUEUED));
  for (const Run& run : queued) {
    waiting_.push_back(run.name());
  }
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
    std::erase(waiting_, name);
    return store_.Move(name, Run::STATE_CANCELLED);
  }
  ASSIGN_OR_RETURN(run, store_.Move(name, Run::STATE_CANCELLING));
  executing->second.request_stop();
  return run;
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
    const absl::Status moved = store_.Move(name, Run::STATE_RUNNING).status();
    if (!moved.ok()) {
      // It stays queued in the store and is taken up at the next start.
      log::Error("run not started", {{"run", name}, {"error", std::string(Message(moved))}});
      continue;
    }
    const std::stop_token stop = executing_[name].get_token();
    lock.unlock();
    Execute(name, stop);
  }
}

void RunExecutor::Execute(const std::string& name, const std::stop_token& stop) {
  log::Info("run started", {{"run", name}});
  const absl::StatusOr<WorkerEnd> end = RunInWorker(name, stop);
  const std::lock_guard lock(mutex_);
  executing_.erase(name);
  const absl::Status finished = Finish(name, end);
  if (!finished.ok()) {
    log::Error("end of run not stored", {{"run", name}, {"error", std::string(Message(finished))}});
  }
}

absl::StatusOr<WorkerEnd> RunExecutor::RunInWorker(const std::string& name,
                                                   const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const Run run, store_.Get(name));
  ASSIGN_OR_RETURN(const std::int64_t number, store_.NumberOf(name));
  v1::WorkerTask task;
  task.set_run(name);
  task.set_dataset_version(run.dataset_version());
  task.set_model(run.model());
  *task.mutable_spec() = run.spec();
  task.set_data_address(options_.data_address);
  task.set_serving_address(options_.serving_address);
  task.set_folder(fmt::format("{}/{}", options_.folder, number));
  task.set_examples_bytes_max(options_.examples_bytes_max);
  storage::FileSystem& files = storage::PosixFileSystem();
  RETURN_IF_ERROR(files.MakeFolder(task.folder()));
  absl::StatusOr<WorkerEnd> end =
      RunWorker(options_.worker, task, stop, [&](std::vector<v1::WorkerReport> reports) {
        return store_.Append(name, EventsOf(std::move(reports)));
      });
  // What is left is an empty folder at most; the run's end does not depend on it.
  files.Remove(task.folder() + "/lock").IgnoreError();
  files.RemoveFolder(task.folder()).IgnoreError();
  return end;
}

// Requires: mutex_ is held.
absl::Status RunExecutor::Finish(const std::string& name, const absl::StatusOr<WorkerEnd>& end) {
  ASSIGN_OR_RETURN(const Run run, store_.Get(name));
  absl::StatusOr<Run> moved;
  if (const v1::WorkerResult* const result = ResultOf(end)) {
    moved = store_.Move(name, Run::STATE_SUCCEEDED, [&](Run& succeeded) {
      succeeded.set_best_epoch(result->best_epoch());
      *succeeded.mutable_evaluations() = result->evaluations();
      succeeded.set_model_version(result->model_version());
      succeeded.set_weights_sha256(result->weights_sha256());
    });
  } else if (run.state() == Run::STATE_CANCELLING) {
    moved = store_.Move(name, Run::STATE_CANCELLED);
  } else {
    moved = store_.Move(name, Run::STATE_FAILED, [&](Run& failed) {
      failed.set_failure(stopping_ && EndedOnWish(end) ? kStopped : FailureOf(end));
    });
  }
  RETURN_IF_ERROR(moved.status());
  log::Info("run ended",
            {{"run", name},
             {"state", std::string(StateName(moved->state()))},
             {"failure", moved->failure()}});
  return absl::OkStatus();
}

}  // namespace millrace::training
