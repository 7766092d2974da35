// TracedProcess: a program under strace, run to its end.

#pragma once

#include <string>
#include <vector>

namespace millrace::faults {

struct ProcessEnd {
  int signal = 0;     // that ended it, or 0
  int exit_code = 0;  // where it ended by itself
  std::string output;
};

/// Runs `words` (the first is looked up in PATH) and returns when it has ended. strace ends as the
/// program below it ended. LeakSanitizer is off: it cannot run in a process that is traced.
ProcessEnd RunToEnd(const std::vector<std::string>& words);

}  // namespace millrace::faults
