#include "clients/cli/answers_file.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cli/private_file.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using training::Fails;

class AnswersFileTest : public testing::Test {
 protected:
  [[nodiscard]] absl::StatusOr<AnswersFile> Open() const { return AnswersFile::Open(path_); }

  [[nodiscard]] std::string Text() const { return *ReadSmallFile(*Open()->Join("a.csv", "row\n")); }

  storage::TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/state/work";
};

TEST_F(AnswersFileTest, ItGoesOnBehindTheLastBatch) {
  ASSERT_TRUE(Open()->Append("0\n1\n", 2).ok());
  {
    auto answers = Open();
    ASSERT_TRUE(answers.ok()) << answers.status();
    EXPECT_EQ(answers->rows(), 2);
    ASSERT_TRUE(answers->Append("2\n", 1).ok());
  }
  EXPECT_EQ(Open()->rows(), 3);
  EXPECT_EQ(Text(), "row\n0\n1\n2\n");
}

TEST_F(AnswersFileTest, WhatADeadProcessLeftUnfinishedDoesNotCount) {
  ASSERT_TRUE(Open()->Append("0\n", 1).ok());
  std::ofstream(path_ + "/part-000000000001-1.0123456789abcdef") << "1,0.";
  std::ofstream(path_ + "/part-000000000007-1") << "7\n";  // the rows before it are not there
  EXPECT_EQ(Open()->rows(), 1);
  EXPECT_EQ(Text(), "row\n0\n");
}

TEST_F(AnswersFileTest, OneProcessAtATime) {
  const auto answers = Open();
  ASSERT_TRUE(answers.ok()) << answers.status();
  EXPECT_THAT(Open(), Fails(absl::StatusCode::kFailedPrecondition, "at the same work"));
}

TEST_F(AnswersFileTest, NothingIsLeftOfWorkThatIsDone) {
  ASSERT_TRUE(Open()->Remove().ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(AnswersFileTest, ACellStandsInQuotesWhereItMust) {
  EXPECT_EQ(CsvCell("a b"), "a b");
  EXPECT_EQ(CsvCell("a,b"), "\"a,b\"");
  EXPECT_EQ(CsvCell("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(CsvCell(" a"), "\" a\"");
  EXPECT_EQ(CsvCell(""), "");
}

}  // namespace
}  // namespace millrace::cli
