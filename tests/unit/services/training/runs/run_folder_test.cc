#include "services/training/runs/run_folder.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::training {
namespace {

class RunFolderTest : public testing::Test {
 protected:
  [[nodiscard]] bool Exists(const std::string& name) const {
    return std::filesystem::exists(folder_.path() + "/" + name);
  }

  void Make(const std::string& name) {
    std::filesystem::create_directory(folder_.path() + "/" + name);
    std::ofstream(folder_.path() + "/" + name + "/checkpoint") << "bytes";
    std::ofstream(folder_.path() + "/" + name + "/lock");
  }

  storage::TemporaryFolder folder_;
};

TEST_F(RunFolderTest, ARunsFolderIsNamedByItsNumber) {
  EXPECT_EQ(RunFolder("/state/runs", 17), "/state/runs/17");
}

TEST_F(RunFolderTest, ItGoesWithEverythingInIt) {
  Make("1");
  Make("2");

  RemoveRunFolder(folder_.path(), 1);
  RemoveRunFolder(folder_.path(), 9);

  EXPECT_FALSE(Exists("1"));
  EXPECT_TRUE(Exists("2/checkpoint"));
}

TEST_F(RunFolderTest, AllButTheNamedGoAndWhatIsNoRunsStays) {
  for (const char* name : {"1", "2", "10", "2x", "notes"}) {
    Make(name);
  }

  RemoveOthers(folder_.path(), {2});

  EXPECT_FALSE(Exists("1"));
  EXPECT_FALSE(Exists("10"));
  EXPECT_TRUE(Exists("2/checkpoint"));
  EXPECT_TRUE(Exists("2x/checkpoint"));
  EXPECT_TRUE(Exists("notes/checkpoint"));
}

TEST_F(RunFolderTest, AFolderThatIsNotThereHoldsNothing) {
  RemoveOthers(folder_.path() + "/none", {});
  EXPECT_FALSE(Exists("none"));
}

}  // namespace
}  // namespace millrace::training
