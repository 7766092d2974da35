// Repeats: what stands twice, line for line.

#pragma once

#include <cstddef>
#include <vector>

#include "tests/house/source_tree.h"

namespace millrace::house {

/// Runs of `lines_min` or more lines that are equal but for white space, in two of `files` or twice
/// in one. Blank lines, comments, includes and lines of punctuation do not count and do not part a
/// run. One finding a run, at its second place.
Findings EqualRuns(const std::vector<SourceFile>& files, std::size_t lines_min);

}  // namespace millrace::house
