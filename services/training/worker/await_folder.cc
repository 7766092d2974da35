#include "services/training/worker/await_folder.h"

#include "common/patience/patience.h"
#include "common/status/status.h"

namespace millrace::training {

namespace {

using std::chrono::steady_clock;

// flock() with a time limit there is none.
constexpr std::chrono::milliseconds kWait{20};

}  // namespace

absl::StatusOr<storage::FolderLock> AwaitFolder(const std::string& folder,
                                                std::chrono::milliseconds timeout,
                                                const std::stop_token& stop) {
  const auto end = steady_clock::now() + timeout;
  while (true) {
    absl::StatusOr<storage::FolderLock> taken = storage::FolderLock::Take(folder);
    if (!absl::IsFailedPrecondition(taken.status()) || steady_clock::now() >= end) {
      return taken;
    }
    if (!WaitUnlessStopped(kWait, stop)) {
      return Cancelled("the run was stopped while it waited for its folder");
    }
  }
}

}  // namespace millrace::training
