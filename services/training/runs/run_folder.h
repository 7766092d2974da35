// RunFolder: where a run's worker keeps its checkpoints, from the run's start to its end.

#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace millrace::training {

/// `{folder}/{number}`.
std::string RunFolder(const std::string& folder, std::int64_t number);

/// Removes a run's folder with all files in it. What cannot be removed stays until RemoveOthers():
/// no run's end depends on it.
void RemoveRunFolder(const std::string& folder, std::int64_t number);

/// Removes the folders of all runs but those of `numbers`: what a service that was killed after a
/// run's end, and before it had cleaned up, has left. Names that are no number are not a run's.
void RemoveOthers(const std::string& folder, const std::set<std::int64_t>& numbers);

}  // namespace millrace::training
