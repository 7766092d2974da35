#include "common/state/actions.h"

#include <filesystem>
#include <memory>

#include <absl/functional/function_ref.h>
#include <fmt/core.h>

#include "common/state/snapshot_server.h"
#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::state {

namespace {

absl::Status VerifyAndTell(const StateLayout& layout,
                           const std::string& folder,
                           const std::string& read) {
  ASSIGN_OR_RETURN(const StateReport report, Verify(storage::PosixFileSystem(), read, layout));
  for (const std::string& finding : report.damage) {
    fmt::print("damaged: {}\n", finding);
  }
  fmt::print("verified {}: {} blobs, {} audit lines, {} damaged\n",
             folder,
             report.blobs,
             report.changes,
             report.damage.size());
  if (report.damage.empty()) {
    return absl::OkStatus();
  }
  return WithFix(DataLoss("the state in {} is damaged", folder),
                 "delete what is damaged, or restore the state from a backup");
}

// Calls `read` with the folder where the state in `folder` can be read.
absl::Status WithState(const std::string& folder,
                       absl::FunctionRef<absl::Status(const std::string&)> read) {
  ASSIGN_OR_RETURN(const std::unique_ptr<LentSnapshot> lent, LentSnapshot::Ask(folder));
  return lent == nullptr ? read(folder) : lent->Explain(read(SnapshotFolder(folder)));
}

}  // namespace

absl::Status Act(const StateLayout& layout, const std::string& folder, const config::Words& words) {
  using Action = config::Words::Action;
  CHECK(words.action == Action::kVerify || words.action == Action::kBackup ||
        words.action == Action::kRestore);
  if (folder.empty()) {
    return WithFix(InvalidArgument("folder must not be empty"),
                   "say where the service keeps its state: --folder /var/lib/millrace/data");
  }
  const std::string state = std::filesystem::absolute(folder).string();
  if (words.action == Action::kVerify) {
    return WithState(state,
                     [&](const std::string& read) { return VerifyAndTell(layout, state, read); });
  }
  storage::FileSystem& files = storage::PosixFileSystem();
  const std::string copy = std::filesystem::absolute(words.folder).string();
  if (words.action == Action::kRestore) {
    RETURN_IF_ERROR(Copy(files, copy, layout, state));
    fmt::print("restored the state to {} and verified it\n", state);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(
      WithState(state, [&](const std::string& read) { return Copy(files, read, layout, copy); }));
  fmt::print("copied the state to {} and verified it\n", copy);
  return absl::OkStatus();
}

}  // namespace millrace::state
