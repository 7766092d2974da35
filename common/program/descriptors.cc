#include "common/program/descriptors.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/resource.h>

#include "common/status/status.h"

namespace millrace::program {

absl::Status RaiseDescriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return Internal("cannot read the limit of open files: {}", std::strerror(errno));
  }
  const rlim_t wanted = std::min<rlim_t>(limit.rlim_max, kDescriptorsWanted);
  if (wanted < static_cast<rlim_t>(kDescriptorsMin)) {
    return WithFix(FailedPrecondition("a process may have {} open files, and needs at least {}",
                                      limit.rlim_max,
                                      kDescriptorsMin),
                   "raise the limit: ulimit -Hn 65536, or LimitNOFILE= of the unit");
  }
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
      return Internal("cannot raise the limit of open files: {}", std::strerror(errno));
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace::program
