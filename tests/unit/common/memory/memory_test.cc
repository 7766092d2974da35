#include "common/memory/memory.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace millrace {
namespace {

// A machine's files below a folder of the test's own.
class MemoryTest : public testing::Test {
 protected:
  MemoryTest() : root_(testing::TempDir() + "/memory." + std::to_string(getpid())) {}

  ~MemoryTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text << "\n";
  }

  const std::string root_;
};

TEST_F(MemoryTest, WithoutABoundItIsTheMachines) {
  EXPECT_EQ(MemoryBytesMax(root_), std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE));
}

TEST_F(MemoryTest, TheNarrowestGroupAroundItBoundsIt) {
  Write("/proc/self/cgroup", "0::/system.slice/a.service");
  Write("/sys/fs/cgroup/system.slice/memory.max", "1000000");
  Write("/sys/fs/cgroup/system.slice/a.service/memory.max", "max");

  EXPECT_EQ(MemoryBytesMax(root_), 1'000'000);

  Write("/sys/fs/cgroup/system.slice/a.service/memory.max", "400000");
  EXPECT_EQ(MemoryBytesMax(root_), 400'000);
}

TEST_F(MemoryTest, AContainersOwnGroupIsTheRootOfItsMount) {
  Write("/proc/self/cgroup", "0::/");
  Write("/sys/fs/cgroup/memory.max", "700000");

  EXPECT_EQ(MemoryBytesMax(root_), 700'000);
}

TEST_F(MemoryTest, GroupsOfVersionOneCountToo) {
  Write("/proc/self/cgroup", "9:cpu:/x\n4:memory:/x/y\n0::/");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  Write("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "500000");
  Write("/sys/fs/cgroup/cpu/x/memory.limit_in_bytes", "1");

  EXPECT_EQ(MemoryBytesMax(root_), 500'000);
}

// A limit that was lowered stays low, so a child process does it.
TEST_F(MemoryTest, ABoundedAddressSpaceBoundsIt) {
  const auto look = [this] {
    const rlimit low{.rlim_cur = 1 << 30, .rlim_max = 1 << 30};
    setrlimit(RLIMIT_AS, &low);
    std::_Exit(MemoryBytesMax(root_) == 1 << 30 ? 3 : 4);
  };
  EXPECT_EXIT(look(), testing::ExitedWithCode(3), "");
}

}  // namespace
}  // namespace millrace
