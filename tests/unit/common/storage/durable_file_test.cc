#include "common/storage/durable_file.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::storage {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string TextOf(const std::string& path) {
  const auto file = PosixFileSystem().Open(path);
  return file.ok() ? *(*file)->Read(0, (*file)->size()) : std::string("none");
}

TEST(WriteDurablyTest, ReplacesAFileInOneStepAfterItsBytesAreSynced) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/file";
  ASSERT_TRUE(WriteDurably(PosixFileSystem(), path, {"old"}).ok());
  FaultyFileSystem disk;

  ASSERT_TRUE(WriteDurably(disk, path, {"a", "", "bc"}).ok());

  EXPECT_EQ(TextOf(path), "abc");
  EXPECT_THAT(
      disk.operations(),
      ElementsAre(
          "create", "append", "append", "append", "sync", "close", "rename", "sync folder"));
}

// Goal: whatever step fails, the file is the old one or the new one, and nothing lies beside it.
TEST(WriteDurablyTest, AFailureLeavesTheOldOrTheNew) {
  for (int failing = 1; failing <= 6; ++failing) {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/file";
    ASSERT_TRUE(WriteDurably(PosixFileSystem(), path, {"old"}).ok());
    FaultyFileSystem disk(failing);

    const absl::Status status = WriteDurably(disk, path, {"new"});

    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << failing;
    EXPECT_THAT(std::string(Message(status)), HasSubstr("on purpose"));
    EXPECT_THAT(TextOf(path), AnyOf("old", "new")) << failing;
    EXPECT_THAT(*PosixFileSystem().List(folder.path()), ElementsAre("file")) << failing;
  }
}

TEST(CopyFileTest, CopiesAllBytesAndReplacesNothing) {
  const TemporaryFolder folder;
  const std::string from = folder.path() + "/from";
  const std::string to = folder.path() + "/to";
  const std::string bytes(3'000'001, 'x');
  ASSERT_TRUE(WriteDurably(PosixFileSystem(), from, {bytes}).ok());

  ASSERT_TRUE(CopyFile(PosixFileSystem(), from, to).ok());
  EXPECT_EQ(TextOf(to), bytes);

  const absl::Status again = CopyFile(PosixFileSystem(), from, to);
  EXPECT_EQ(again.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(Message(again)), HasSubstr(to));
}

TEST(ParentOfTest, IsTheFolderThatHoldsThePath) {
  EXPECT_EQ(ParentOf("/a/b"), "/a");
  EXPECT_EQ(ParentOf("/a"), "/");
  EXPECT_EQ(ParentOf("a"), ".");
}

}  // namespace
}  // namespace millrace::storage
