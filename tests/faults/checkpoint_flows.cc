#include <string>

#include "common/status/status.h"
#include "services/training/worker/checkpoint.h"
#include "tests/faults/flow.h"

namespace millrace::faults {

namespace {

using training::CheckpointFolder;

training::v1::CheckpointHeader Header() {
  training::v1::CheckpointHeader header;
  header.mutable_identity()->set_run("runs/r1-ab");
  header.mutable_identity()->set_parameter_count(4);
  return header;
}

absl::Status Write(CheckpointFolder& checkpoints, std::int64_t step) {
  training::TrainerState state;
  state.step = step;
  state.weights.assign(4, static_cast<float>(step));
  state.optimizer_slots.assign(8, 0.5F);
  return checkpoints.Write(Header(), state);
}

absl::Status WriteTwo(storage::FileSystem& files, const std::string& folder) {
  RETURN_IF_ERROR(files.MakeFolder(folder));
  CheckpointFolder checkpoints(files, folder);
  RETURN_IF_ERROR(Write(checkpoints, 1));
  return Write(checkpoints, 2);
}

absl::Status WriteThird(storage::FileSystem& files,
                        const std::string& folder,
                        const std::function<void()>& acknowledge) {
  CheckpointFolder checkpoints(files, folder);
  RETURN_IF_ERROR(Write(checkpoints, 3));
  acknowledge();
  return absl::OkStatus();
}

// A checkpoint that had to be passed over is damage, though the worker would go on from an older.
absl::StatusOr<std::string> Describe(storage::FileSystem& files, const std::string& folder) {
  CheckpointFolder checkpoints(files, folder);
  ASSIGN_OR_RETURN(const auto found, checkpoints.Find(Header().identity(), /*epochs_stored=*/0));
  if (!found.notes.empty() || !found.checkpoint.has_value()) {
    return DataLoss("{}", found.notes.empty() ? "no checkpoint" : found.notes.front());
  }
  const training::TrainerState& state = found.checkpoint->state;
  return fmt::format("step {} with weight {}", state.step, state.weights.at(3));
}

}  // namespace

Flow TrainingCheckpoint() {
  return {.name = "training_checkpoint",
          .prepare = WriteTwo,
          .perform = WriteThird,
          .describe = Describe};
}

}  // namespace millrace::faults
