#include "clients/cli/private_file.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;
using training::Fails;

TEST(PrivateFileTest, AFileIsReplacedAsAWholeAndReadableByItsOwnerAlone) {
  const storage::TemporaryFolder folder;
  const std::string path = folder.path() + "/a/b/file";
  ASSERT_TRUE(WritePrivateFile(path, "one").ok());
  ASSERT_TRUE(WritePrivateFile(path, "two").ok());
  EXPECT_EQ(*ReadSmallFile(path), "two");
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(fs::status(folder.path() + "/a").permissions(), fs::perms::owner_all);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path() + "/a/b"), {}), 1);
}

TEST(PrivateFileTest, WhatCannotBeWrittenOrReadIsSaid) {
  const storage::TemporaryFolder folder;
  std::ofstream(folder.path() + "/file") << "x";
  EXPECT_THAT(WritePrivateFile(folder.path() + "/file/below", "x"),
              Fails(absl::StatusCode::kAlreadyExists, "cannot make folder"));
  EXPECT_THAT(ReadSmallFile(folder.path() + "/none"),
              Fails(absl::StatusCode::kNotFound, "there is no file"));
  EXPECT_THAT(ReadSmallFile(folder.path()),
              Fails(absl::StatusCode::kInvalidArgument, "no file that may be read"));
  std::ofstream(folder.path() + "/large") << std::string((1U << 20U) + 1, 'x');
  EXPECT_THAT(ReadSmallFile(folder.path() + "/large"),
              Fails(absl::StatusCode::kInvalidArgument, "larger than 1 MiB"));
}

}  // namespace
}  // namespace millrace::cli
