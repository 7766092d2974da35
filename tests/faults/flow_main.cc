// fault-flow: performs one flow on the real disk, to be killed. Says when it is acknowledged.

#include <cstdio>
#include <string>

#include <unistd.h>

#include "common/status/status.h"
#include "tests/faults/flow.h"

// fault-flow NAME FOLDER
int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: fault-flow NAME FOLDER\n", stderr);
    return 2;
  }
  const auto acknowledge = [] {
    if (write(STDOUT_FILENO, "acknowledged", 12) != 12) {
      _exit(3);
    }
  };
  const absl::Status status = millrace::faults::FlowOf(argv[1]).perform(
      millrace::storage::PosixFileSystem(), argv[2], acknowledge);
  if (!status.ok()) {
    std::fprintf(stderr, "fault-flow: %s\n", std::string(millrace::Message(status)).c_str());
    return 1;
  }
  return 0;
}
