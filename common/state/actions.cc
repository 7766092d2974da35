#include "common/state/actions.h"

#include <filesystem>

#include <fmt/core.h>

#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::state {

namespace {

absl::Status VerifyAndTell(const StateLayout& layout, const std::string& folder) {
  ASSIGN_OR_RETURN(const StateReport report, Verify(storage::PosixFileSystem(), folder, layout));
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
    return VerifyAndTell(layout, state);
  }
  const std::string copy = std::filesystem::absolute(words.folder).string();
  const bool backup = words.action == Action::kBackup;
  RETURN_IF_ERROR(
      Copy(storage::PosixFileSystem(), backup ? state : copy, layout, backup ? copy : state));
  fmt::print("{} {} and verified it\n",
             backup ? "copied the state to" : "restored the state to",
             backup ? copy : state);
  return absl::OkStatus();
}

}  // namespace millrace::state
