// Flow: one operation on a service's state that must happen whole or not at all.

#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/storage/file_system.h"

namespace millrace::faults {

/// What the sweeps break. To add a flow: write a function that returns one, and list it in
/// Flows(). Everything runs on the calling thread: strace counts the calls of each thread, and a
/// kill point that is counted elsewhere never fires.
///
/// All three open the state as the service does and close it before they return. `folder` is where
/// the service's state is; catalogs and locks lie there on the real disk or where the sweep has
/// them, all else in `files`.
struct Flow {
  std::string name;

  // Brings about the old state. The folder is not there yet.
  std::function<absl::Status(storage::FileSystem& files, const std::string& folder)> prepare;

  // Brings about the new state out of the old one, and calls `acknowledge` where a caller would
  // hear that it is done, before anything is closed. Succeeds when the state is new already.
  std::function<absl::Status(storage::FileSystem& files,
                             const std::string& folder,
                             const std::function<void()>& acknowledge)>
      perform;

  // Everything that can be read of the state, as text without what is random in it. An error when
  // something is damaged.
  std::function<absl::StatusOr<std::string>(storage::FileSystem& files, const std::string& folder)>
      describe;
};

/// Tells GoogleTest what to call it.
inline void PrintTo(const Flow& flow, std::ostream* stream) {
  *stream << flow.name;
}

Flow DataFirstImport();
Flow DataImport();
Flow DataDelete();
Flow ServingUpload();
Flow ServingRoute();
Flow ServingDelete();
Flow TrainingAdd();
Flow TrainingAppend();
Flow TrainingPublish();
Flow TrainingCheckpoint();
Flow AuditAppend();

/// All that must survive.
std::vector<Flow> Flows();

// The canaries: writers as one might write them who does not know. Each sweep must catch them.

/// Removes the old file and writes the new one in two parts.
Flow NaiveInPlace();
/// Writes beside and renames, and never syncs anything.
Flow NaiveWithoutSync();
/// Syncs the folder and not the file: a name without content.
Flow NaiveWithoutFileSync();
/// Syncs the file and not the folder: acknowledged and gone.
Flow NaiveWithoutFolderSync();
/// Commits to a catalog with `synchronous=NORMAL`, which syncs no commit.
Flow NaiveCatalog();
/// Writes well, and on two threads.
Flow NaiveOnTwoThreads();

std::vector<Flow> Canaries();

/// The flow or canary of that name. Requires: there is one.
Flow FlowOf(const std::string& name);

}  // namespace millrace::faults
