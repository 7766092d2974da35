// Actions: `--verify`, `--backup FOLDER` and `--restore FOLDER` of a service's program.

#pragma once

#include <string>

#include <absl/status/status.h>

#include "common/config/config.h"
#include "common/state/state.h"

namespace millrace::state {

/// Does what `words` ask for with the state in `folder`, on the real disk, and prints to stdout
/// what was found. Where the service runs, --verify and --backup read a snapshot that it lends.
/// Relative folders are those of the working folder. DATA_LOSS when something is damaged. Requires:
/// the action is one of the three.
absl::Status Act(const StateLayout& layout, const std::string& folder, const config::Words& words);

}  // namespace millrace::state
