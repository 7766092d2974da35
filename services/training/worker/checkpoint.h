// Checkpoint: a training in the middle, as one file. Its format stands in checkpoint.proto.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/model/v1/training_spec.pb.h"
#include "millrace/training/v1/checkpoint.pb.h"

#include "common/storage/file_system.h"
#include "services/training/train/trainer_state.h"

namespace millrace::training {

/// A state with what the file says beside it. `header` repeats no array, and its position is that
/// of `state`.
struct Checkpoint {
  v1::CheckpointHeader header;
  TrainerState state;
};

/// SHA-256 of what a spec says of the weights, hexadecimal: of all but the threads.
std::string SpecSha256(model::v1::TrainingSpec spec);

/// Two checkpoints in a run's folder, `checkpoint` and the one before it, `checkpoint.previous`.
/// Whatever happens while a third is written, one that was written before stays whole: it is
/// written beside its place, synced, renamed into it, and the folder synced. Not thread-safe;
/// whoever has one holds the folder's lock.
class CheckpointFolder {
 public:
  /// `files` must outlive this. `folder` exists.
  CheckpointFolder(storage::FileSystem& files, std::string folder)
      : files_(files),
        folder_(std::move(folder)) {}

  /// Writes `state` and makes it the newest; fails as the file system does. Takes identity, recent
  /// epochs, builds and kernel level from `header`, and everything else from `state`.
  absl::Status Write(v1::CheckpointHeader header, const TrainerState& state);

  /// What there was to take up.
  struct Found {
    // The newest checkpoint that is whole, belongs to `identity` and leaves no gap behind the
    // epochs that the service has; none: the training begins at its beginning.
    std::optional<Checkpoint> checkpoint;

    // Why newer ones were passed over, for a person to read.
    std::vector<std::string> notes;
  };

  /// Looks for a checkpoint to go on from. FAILED_PRECONDITION when the newest whole one is of a
  /// newer format: to begin again would throw away what a newer build has done. Or as the file
  /// system fails.
  absl::StatusOr<Found> Find(const v1::CheckpointIdentity& identity, std::int32_t epochs_stored);

 private:
  storage::FileSystem& files_;
  std::string folder_;
};

/// Reads and verifies one file. NOT_FOUND when there is none; DATA_LOSS when it is damaged: too
/// short, or not what its SHA-256 says; INVALID_ARGUMENT when it is no checkpoint or belongs to
/// another training than `identity` or to an older contract of numbers; FAILED_PRECONDITION when
/// its format or contract is newer.
absl::StatusOr<Checkpoint> ReadCheckpoint(storage::FileSystem& files,
                                          const std::string& path,
                                          const v1::CheckpointIdentity& identity);

}  // namespace millrace::training
