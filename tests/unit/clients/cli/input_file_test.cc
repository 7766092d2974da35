#include "clients/cli/input_file.h"

#include <fstream>
#include <sstream>
#include <string>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using training::Fails;

TEST(InputFileTest, AFileIsOpenedAndMeasured) {
  const storage::TemporaryFolder folder;
  const std::string path = folder.path() + "/a b=c.csv";
  std::ofstream(path) << "a,b\n1,2\n";
  absl::StatusOr<InputFile> file = OpenInput(path, "a CSV file");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->size_bytes, 8);
  std::ostringstream text;
  text << file->stream.rdbuf();
  EXPECT_EQ(text.str(), "a,b\n1,2\n");
}

TEST(InputFileTest, AMissingFileIsNotFound) {
  const auto file = OpenInput("no/such/file.csv", "a CSV file");
  EXPECT_THAT(file, Fails(absl::StatusCode::kNotFound, "there is no file 'no/such/file.csv'"));
  EXPECT_EQ(Fix(file.status()), "give the path of a CSV file");
}

TEST(InputFileTest, AFolderIsNoFile) {
  const storage::TemporaryFolder folder;
  const auto file = OpenInput(folder.path(), "a CSV file");
  EXPECT_THAT(file, Fails(absl::StatusCode::kInvalidArgument, "it is no regular file"));
  EXPECT_EQ(Fix(file.status()), "give the path of a CSV file that may be read");
}

TEST(InputFileTest, AFileAsAFolderIsNotFound) {
  const storage::TemporaryFolder folder;
  std::ofstream(folder.path() + "/a") << "x";
  EXPECT_THAT(OpenInput(folder.path() + "/a/b", "a CSV file"),
              Fails(absl::StatusCode::kNotFound, "there is no file"));
}

}  // namespace
}  // namespace millrace::cli
