#include "clients/cli/follow.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>

#include "millrace/model/v1/evaluation.pb.h"
#include "millrace/training/v1/training_service.grpc.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/console.h"
#include "clients/cli/failure.h"
#include "clients/cli/progress.h"
#include "clients/cli/reference.h"
#include "clients/cli/spelling.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using training::v1::Run;
using training::v1::RunEvent;

constexpr std::chrono::hours kWatchMax{1};  // then the watch is taken up again where it was

bool HasEnded(const Run& run) {
  return run.state() == Run::STATE_SUCCEEDED || run.state() == Run::STATE_FAILED ||
         run.state() == Run::STATE_CANCELLED;
}

// Whether the run rests: an event of the past may say so of one that went on since.
bool Rests(const Run& told, Shell& shell) {
  if (told.state() != Run::STATE_UNPUBLISHED) {
    return false;
  }
  training::v1::GetRunRequest request;
  request.set_name(told.name());
  const absl::StatusOr<Run> now =
      shell.connection.Call(shell.connection.Training(), &TrainingStub::GetRun, request);
  return !now.ok() || now->state() == Run::STATE_UNPUBLISHED;
}

absl::Status Detached(const std::string& run) {
  const std::string name = ShortName(run);
  return WithFix(
      Cancelled("detached from run {}, which goes on", name),
      fmt::format("'millrace run watch {0}' follows it, 'millrace run cancel {0}' ends it", name));
}

// OK when the run has ended, or the watch can be taken up again at once.
absl::Status BrokenOff(const absl::Status& ended, const std::string& run, bool run_ended) {
  if (absl::IsDeadlineExceeded(ended) || run_ended) {
    return absl::OkStatus();
  }
  if (!ended.ok() && !absl::IsUnavailable(ended)) {
    return ended;
  }
  const std::string name = ShortName(run);
  return WithFix(
      Unavailable("the training service ended the watch of run {} before the run ended{}",
                  name,
                  ended.ok() ? "" : fmt::format(": {}", Message(ended))),
      fmt::format("'millrace run watch {}' takes it up again", name));
}

// "loss: train 0.0931, validation 0.1210   accuracy 0.965   467k rows/s"; what stands behind three
// blanks is left out where there is no room.
std::string EpochWords(const model::v1::EpochMetrics& epoch) {
  std::string words = fmt::format("loss: train {:.4f}", epoch.train_loss());
  if (epoch.has_validation()) {
    const model::v1::Evaluation& validation = epoch.validation();
    words += fmt::format(", validation {:.4f}", validation.loss());
    if (validation.has_accuracy()) {
      words += fmt::format("   accuracy {:.4f}", validation.accuracy());
    }
    if (validation.has_r_squared()) {
      words += fmt::format("   R2 {:.4f}", validation.r_squared());
    }
  }
  return words + fmt::format("   {:.0f} rows/s", epoch.examples_per_second());
}

// Tells a run's events on the error stream.
class RunTeller {
 public:
  explicit RunTeller(Console& console) : console_(console) {}

  void Take(const RunEvent& event) {
    switch (event.kind_case()) {
      case RunEvent::kRun:
        TakeState(event.run());
        break;
      case RunEvent::kEpoch:
        TakeEpoch(event.epoch());
        break;
      case RunEvent::kNote:
        console_.Note("  " + Printable(event.note()));
        break;
      case RunEvent::KIND_NOT_SET:
        break;
    }
  }

 private:
  void TakeState(const Run& run) {
    epochs_ = run.spec().epochs();
    console_.Note(fmt::format("run {}: {}{}{}",
                              ShortName(run.name()),
                              Spell(run.state()),
                              run.reason().empty() ? "" : ": ",
                              Printable(run.reason())));
  }

  void TakeEpoch(const model::v1::EpochMetrics& epoch) {
    if (!progress_) {
      progress_.emplace(console_, "epoch", epochs_);
    }
    progress_->Update(epoch.epoch(),
                      fmt::format("{}/{}  {}", epoch.epoch(), epochs_, EpochWords(epoch)));
  }

  Console& console_;
  std::int32_t epochs_ = 0;
  std::optional<Progress> progress_;
};

}  // namespace

absl::StatusOr<Run> CreateRun(Shell& shell, training::v1::CreateRunRequest request) {
  request.set_request_id(shell.connection.request_id());
  absl::StatusOr<Run> run =
      shell.connection.Call(shell.connection.Training(), &TrainingStub::CreateRun, request);
  if (absl::IsCancelled(run.status()) && shell.connection.stop().stop_requested()) {
    return WithFix(run.status(), "'millrace run ls' shows whether the run was created");
  }
  return run;
}

absl::StatusOr<Run> CheckRun(Shell& shell, training::v1::CreateRunRequest request) {
  request.set_validate_only(true);
  return shell.connection.Call(shell.connection.Training(), &TrainingStub::CreateRun, request);
}

absl::StatusOr<Run> Watch(Shell& shell,
                          const std::string& run,
                          const std::function<void(const RunEvent&)>& take) {
  ASSIGN_OR_RETURN(TrainingStub* const stub, shell.connection.Training());
  training::v1::WatchRunRequest request;
  request.set_name(run);
  Run last;
  bool rests = false;
  while (!HasEnded(last) && !rests) {
    CallContext context(kWatchMax, shell.connection.stop(), shell.connection.request_id());
    const std::unique_ptr<grpc::ClientReader<RunEvent>> reader =
        stub->WatchRun(context.get(), request);
    for (RunEvent event; !rests && reader->Read(&event);) {
      request.set_after_sequence(event.sequence());
      if (event.has_run()) {
        last = event.run();
      }
      take(event);
      rests = event.has_run() && Rests(last, shell);
    }
    if (rests) {
      context.get()->TryCancel();
    }
    const absl::Status ended = FromGrpcStatus(reader->Finish());
    if (shell.connection.stop().stop_requested() && !HasEnded(last)) {
      return Detached(run);
    }
    if (rests) {
      return last;
    }
    RETURN_IF_ERROR(BrokenOff(ended, run, HasEnded(last)));
  }
  return last;
}

absl::StatusOr<Run> Follow(Shell& shell, const std::string& run) {
  if (shell.console.live()) {
    shell.console.Note(fmt::format("ctrl-c detaches; 'millrace run cancel {}' ends the run",
                                   Printable(ShortName(run))));
  }
  RunTeller teller(shell.console);
  return Watch(shell, run, [&teller](const RunEvent& event) { teller.Take(event); });
}

bool IsUnderWay(const Run& run) {
  return !HasEnded(run) && run.state() != Run::STATE_UNPUBLISHED;
}

absl::Status Outcome(const Run& run) {
  const std::string name = ShortName(run.name());
  if (run.state() == Run::STATE_FAILED) {
    // A service that is older than the code says none.
    const auto code = run.failure_code() > 0 && run.failure_code() <= 16
                          ? static_cast<absl::StatusCode>(run.failure_code())
                          : absl::StatusCode::kUnknown;
    return WithFix(absl::Status(code, fmt::format("run {} failed: {}", name, run.failure())),
                   fmt::format("'millrace run show {}' has its spec", name));
  }
  if (run.state() == Run::STATE_UNPUBLISHED) {
    return WithFix(
        FailedPrecondition("run {} is trained and not published: {}", name, run.reason()),
        fmt::format("'millrace run publish {0}' publishes it, 'millrace run rm {0}' removes it",
                    name));
  }
  if (run.state() == Run::STATE_CANCELLED) {
    return WithFix(Cancelled("run {} was cancelled after {} epochs", name, run.epochs_done()),
                   "start it again with 'millrace run start'");
  }
  return absl::OkStatus();
}

}  // namespace millrace::cli
