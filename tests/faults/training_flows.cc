#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/clock/clock.h"
#include "common/status/status.h"
#include "common/storage/state_folder.h"
#include "services/training/runs/run_store.h"
#include "tests/faults/flow.h"
#include "tests/faults/verified.h"

namespace millrace::faults {

namespace {

using training::RunStore;
using training::v1::Run;
using training::v1::RunEvent;

// The folder with its lock, and the runs in it, as the service has them.
struct Opened {
  storage::StateFolder state;
  std::unique_ptr<RunStore> runs;
};

absl::StatusOr<Opened> Open(storage::FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(storage::StateFolder state,
                   storage::StateFolder::Open(files, folder, RunStore::Layout().format));
  ASSIGN_OR_RETURN(std::unique_ptr<RunStore> runs,
                   RunStore::Open(folder + "/runs.db", SystemClock()));
  return Opened{.state = std::move(state), .runs = std::move(runs)};
}

absl::Status Add(RunStore& runs, const std::string& request_id) {
  Run run;
  run.set_model(request_id);
  const absl::Status added = runs.Add(std::move(run), request_id).status();
  return absl::IsAlreadyExists(added) ? absl::OkStatus() : added;
}

absl::StatusOr<Run> FirstOf(RunStore& runs) {
  ASSIGN_OR_RETURN(auto run, runs.FindByRequest("first"));
  return run.has_value() ? absl::StatusOr<Run>(*std::move(run)) : DataLoss("the first run is gone");
}

absl::Status AddFirst(storage::FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(const Opened opened, Open(files, folder));
  return Add(*opened.runs, "first");
}

absl::Status AddSecond(storage::FileSystem& files,
                       const std::string& folder,
                       const std::function<void()>& acknowledge) {
  ASSIGN_OR_RETURN(const Opened opened, Open(files, folder));
  RETURN_IF_ERROR(Add(*opened.runs, "second"));
  acknowledge();
  return absl::OkStatus();
}

absl::Status RunFirst(storage::FileSystem& files, const std::string& folder) {
  RETURN_IF_ERROR(AddFirst(files, folder));
  ASSIGN_OR_RETURN(const Opened opened, Open(files, folder));
  ASSIGN_OR_RETURN(const Run run, FirstOf(*opened.runs));
  RETURN_IF_ERROR(opened.runs->Move(run.name(), Run::STATE_RUNNING).status());
  return opened.runs->Move(run.name(), Run::STATE_PUBLISHING).status();
}

// What the service does when serving has taken the model.
absl::Status PublishFirst(storage::FileSystem& files,
                          const std::string& folder,
                          const std::function<void()>& acknowledge) {
  ASSIGN_OR_RETURN(const Opened opened, Open(files, folder));
  ASSIGN_OR_RETURN(const Run run, FirstOf(*opened.runs));
  if (run.state() == Run::STATE_PUBLISHING) {
    const auto publish = [](Run& ended) { ended.set_model_version("models/first/versions/1"); };
    RETURN_IF_ERROR(opened.runs->Move(run.name(), Run::STATE_SUCCEEDED, publish).status());
  }
  acknowledge();
  return absl::OkStatus();
}

absl::Status AppendToFirst(storage::FileSystem& files,
                           const std::string& folder,
                           const std::function<void()>& acknowledge) {
  ASSIGN_OR_RETURN(const Opened opened, Open(files, folder));
  ASSIGN_OR_RETURN(const Run run, FirstOf(*opened.runs));
  if (run.epochs_done() == 0) {
    std::vector<RunEvent> events(2);
    events[0].mutable_epoch()->set_epoch(1);
    events[1].mutable_epoch()->set_epoch(2);
    RETURN_IF_ERROR(opened.runs->Append(run.name(), std::move(events)));
  }
  acknowledge();
  return absl::OkStatus();
}

// Names of runs end in something random: a run is told by what it was asked for.
absl::StatusOr<std::string> Describe(storage::FileSystem& files, const std::string& folder) {
  RETURN_IF_ERROR(Verified(files, folder, RunStore::Layout()));
  ASSIGN_OR_RETURN(const Opened opened, Open(files, folder));
  ASSIGN_OR_RETURN(const RunStore::Page page, opened.runs->List(/*page_size=*/100, ""));
  std::string text;
  for (const Run& run : page.runs) {
    ASSIGN_OR_RETURN(const auto events,
                     opened.runs->Events(run.name(), /*after_sequence=*/0, /*count_max=*/100));
    text += fmt::format("{} in state {} after {} epochs as '{}':",
                        run.model(),
                        static_cast<int>(run.state()),
                        run.epochs_done(),
                        run.model_version());
    for (const RunEvent& event : events) {
      text += fmt::format(" {}", event.sequence());
    }
    text += "\n";
  }
  return text;
}

}  // namespace

Flow TrainingAdd() {
  return {.name = "training_add", .prepare = AddFirst, .perform = AddSecond, .describe = Describe};
}

Flow TrainingPublish() {
  return {.name = "training_publish",
          .prepare = RunFirst,
          .perform = PublishFirst,
          .describe = Describe};
}

Flow TrainingAppend() {
  return {.name = "training_append",
          .prepare = AddFirst,
          .perform = AppendToFirst,
          .describe = Describe};
}

}  // namespace millrace::faults
