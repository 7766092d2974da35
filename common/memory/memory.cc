#include "common/memory/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string_view>

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

namespace millrace {

namespace {

constexpr std::int64_t kNoBound = std::numeric_limits<std::int64_t>::max();

// The number in a file; no bound where it says "max" or is not there.
std::int64_t BoundIn(const std::string& path) {
  std::ifstream file(path);
  std::int64_t bytes = 0;
  return (file >> bytes) && bytes > 0 ? bytes : kNoBound;
}

// The least bound of a cgroup and of those around it. In a container its own path may not be
// visible; the mount's root is then its own.
std::int64_t BoundOfGroups(const std::string& mount, std::string_view path, std::string_view file) {
  std::int64_t bound = kNoBound;
  while (true) {
    const std::string_view folder = path == "/" ? "" : path;
    bound = std::min(bound, BoundIn(mount + std::string(folder) + "/" + std::string(file)));
    const std::size_t slash = folder.rfind('/');
    if (slash == std::string_view::npos) {
      return bound;
    }
    path = folder.substr(0, slash);
  }
}

// Lines of /proc/self/cgroup: "0::/path" in version 2, "4:memory:/path" in version 1.
std::int64_t BoundOfCgroup(const std::string& root) {
  std::int64_t bound = kNoBound;
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      continue;
    }
    const std::string_view whole = line;
    const std::string_view path = whole.substr(second + 1);
    const std::string_view controllers = whole.substr(first + 1, second - first - 1);
    if (controllers.empty()) {
      bound = std::min(bound, BoundOfGroups(root + "/sys/fs/cgroup", path, "memory.max"));
    } else if (controllers == "memory") {
      bound = std::min(
          bound, BoundOfGroups(root + "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"));
    }
  }
  return bound;
}

std::int64_t BoundOfMachine() {
  return std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
}

std::int64_t BoundOfAddressSpace() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur > static_cast<rlim_t>(kNoBound)) {
    return kNoBound;
  }
  return std::max<std::int64_t>(static_cast<std::int64_t>(limit.rlim_cur), 1);
}

}  // namespace

std::int64_t MemoryBytesMax(const std::string& root) {
  return std::min({BoundOfMachine(), BoundOfCgroup(root), BoundOfAddressSpace()});
}

void GiveFreedMemory() {
  malloc_trim(0);
}

}  // namespace millrace
