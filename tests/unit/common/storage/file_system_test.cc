#include "common/storage/file_system.h"

#include <csignal>
#include <filesystem>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/status/status.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

void Write(const std::string& path, std::string_view bytes) {
  const auto file = PosixFileSystem().Create(path);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->Append(bytes).ok());
  ASSERT_TRUE((*file)->Sync().ok());
  ASSERT_TRUE((*file)->Close().ok());
}

std::string MessageOf(const absl::Status& status) {
  return std::string(Message(status));
}

class FileSystemTest : public testing::Test {
 protected:
  [[nodiscard]] std::string In(const std::string& name) const {
    return folder_.path() + "/" + name;
  }

  TemporaryFolder folder_;
  FileSystem& files_ = PosixFileSystem();
};

TEST_F(FileSystemTest, ReadsBackWhatWasWritten) {
  Write(In("a"), "0123456789");

  const auto file = files_.Open(In("a"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->size(), 10);
  EXPECT_EQ(*(*file)->Read(0, 10), "0123456789");
  EXPECT_EQ(*(*file)->Read(3, 4), "3456");
  EXPECT_EQ(*(*file)->Read(8, 100), "89") << "fewer only at the end";
  EXPECT_EQ(*(*file)->Read(10, 1), "");
  EXPECT_EQ(*(*file)->Read(1'000, 1), "");
}

TEST_F(FileSystemTest, GoesOnWithAFileAfterAnyOfItsBytes) {
  for (const std::int64_t size : {0, 1, 9, 10}) {
    Write(In("a"), "0123456789");
    const auto file = files_.OpenToAppend(In("a"), size);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Append("xy").ok());
    ASSERT_TRUE((*file)->Append("z").ok());
    ASSERT_TRUE((*file)->Sync().ok());
    ASSERT_TRUE((*file)->Close().ok());

    const auto read = files_.Open(In("a"));
    EXPECT_EQ(*(*read)->Read(0, 100),
              std::string("0123456789").substr(0, static_cast<std::size_t>(size)) + "xyz");
    ASSERT_TRUE(files_.Remove(In("a")).ok());
  }
}

TEST_F(FileSystemTest, GoesOnOnlyWithAFileThatHasTheBytes) {
  Write(In("a"), "0123456789");

  const auto shorter = files_.OpenToAppend(In("a"), 11);
  EXPECT_EQ(shorter.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(shorter.status()), HasSubstr("has 10 bytes, expected at least 11"));
  EXPECT_EQ((*files_.Open(In("a")))->size(), 10) << "it is left alone";
  EXPECT_EQ(files_.OpenToAppend(In("b"), 0).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(files_.OpenToAppend(folder_.path(), 0).status().code(), absl::StatusCode::kUnavailable);
  std::filesystem::create_symlink(In("a"), In("link"));
  EXPECT_EQ(files_.OpenToAppend(In("link"), 0).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(FileSystemTest, FilesAreForTheirOwnerAlone) {
  Write(In("a"), "secret");

  struct stat status {};

  ASSERT_EQ(stat(In("a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0077U, 0U);
}

TEST_F(FileSystemTest, CreateRefusesAFileThatIsThere) {
  Write(In("a"), "first");

  const absl::Status status = files_.Create(In("a")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(MessageOf(status), HasSubstr("cannot create " + In("a")));
  EXPECT_EQ(*(*files_.Open(In("a")))->Read(0, 10), "first");
}

TEST_F(FileSystemTest, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(files_.Open(In("a")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(files_.Remove(In("a")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(files_.Rename(In("a"), In("b")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(files_.List(In("a")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(files_.RemoveFolder(In("a")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(files_.SyncFolder(In("a")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(files_.Create(In("a/b")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FileSystemTest, DoesNotFollowASymbolicLink) {
  Write(In("real"), "secret");
  std::filesystem::create_symlink(In("real"), In("link"));
  std::filesystem::create_symlink(In("nowhere"), In("dangling"));

  const absl::Status opened = files_.Open(In("link")).status();
  EXPECT_EQ(opened.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(opened), HasSubstr("cannot open " + In("link")));
  EXPECT_EQ(files_.Create(In("dangling")).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(std::filesystem::exists(In("nowhere")));
}

TEST_F(FileSystemTest, OpensNeitherFoldersNorPipes) {
  ASSERT_EQ(mkfifo(In("pipe").c_str(), 0600), 0);

  const absl::Status pipe = files_.Open(In("pipe")).status();
  EXPECT_EQ(pipe.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(pipe), HasSubstr("not a regular file"));
  EXPECT_THAT(MessageOf(files_.Open(folder_.path()).status()), HasSubstr("not a regular file"));
}

// Ends the process with 0 when a write beyond its limit on the size of files fails as it should.
[[noreturn]] void WriteBeyondTheLimit(const std::string& path) {
  rlimit limit{};
  limit.rlim_cur = 4;
  limit.rlim_max = 4;
  const bool limited = setrlimit(RLIMIT_FSIZE, &limit) == 0 && signal(SIGXFSZ, SIG_IGN) != SIG_ERR;
  const auto file = PosixFileSystem().Create(path);
  const absl::Status first = (*file)->Append("0123456789");
  const bool final = (*file)->Sync() == first && (*file)->Close() == first;
  _exit(limited && absl::IsResourceExhausted(first) && final ? 0 : 1);
}

TEST_F(FileSystemTest, AWriteThatFindsNoRoomIsResourceExhaustedAndFinal) {
  EXPECT_EXIT(WriteBeyondTheLimit(In("small")), testing::ExitedWithCode(0), "");
}

TEST_F(FileSystemTest, RenameReplaces) {
  Write(In("old"), "old");
  Write(In("new"), "new");

  ASSERT_TRUE(files_.Rename(In("new"), In("old")).ok());
  ASSERT_TRUE(files_.SyncFolder(folder_.path()).ok());

  EXPECT_EQ(*(*files_.Open(In("old")))->Read(0, 10), "new");
  EXPECT_THAT(*files_.List(folder_.path()), ElementsAre("old"));
}

TEST_F(FileSystemTest, ListsFilesSortedAndNothingElse) {
  Write(In("b"), "");
  Write(In("a"), "");
  Write(In("c"), "");
  ASSERT_TRUE(files_.MakeFolder(In("folder")).ok());
  std::filesystem::create_symlink(In("a"), In("link"));

  EXPECT_THAT(*files_.List(folder_.path()), ElementsAre("a", "b", "c"));
}

TEST_F(FileSystemTest, MakesFoldersWithTheirParents) {
  ASSERT_TRUE(files_.MakeFolder(In("a/b/c")).ok());
  EXPECT_TRUE(files_.MakeFolder(In("a/b/c")).ok());
  EXPECT_TRUE(std::filesystem::is_directory(In("a/b/c")));

  EXPECT_EQ(files_.RemoveFolder(In("a")).code(), absl::StatusCode::kUnavailable) << "not empty";
  EXPECT_TRUE(files_.RemoveFolder(In("a/b/c")).ok());
  EXPECT_FALSE(std::filesystem::exists(In("a/b/c")));

  Write(In("file"), "");
  EXPECT_EQ(files_.MakeFolder(In("file")).code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(FileSystemTest, AFolderHasOneLockHolder) {
  auto lock = FolderLock::Take(folder_.path());
  ASSERT_TRUE(lock.ok()) << lock.status();

  const absl::Status second = FolderLock::Take(folder_.path()).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(second), HasSubstr("in use by another process"));

  {
    const FolderLock moved = *std::move(lock);
    EXPECT_FALSE(FolderLock::Take(folder_.path()).ok()) << "moving keeps it";
  }
  EXPECT_TRUE(FolderLock::Take(folder_.path()).ok());
}

}  // namespace
}  // namespace millrace::storage
