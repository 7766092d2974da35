#include "common/security/token_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/security/certificate_maker.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::security {
namespace {

using testing::HasSubstr;

class TokenFileTest : public testing::Test {
 protected:
  storage::TemporaryFolder folder_;
  std::string path_ = WriteFile(folder_.path() + "/token", " 5f2a9c\n");
};

TEST_F(TokenFileTest, ReadsTheTokenWithoutTheSpaceAroundItAndFollowsTheFile) {
  const auto file = TokenFile::Open(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->token(), "5f2a9c");

  WriteFile(path_, "two words");
  EXPECT_EQ((*file)->Look().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ((*file)->token(), "5f2a9c");
  WriteFile(path_, "next");
  EXPECT_TRUE((*file)->Look().ok());
  EXPECT_EQ((*file)->token(), "next");
}

TEST_F(TokenFileTest, RefusesAFileWithoutOneTokenAndNeverShowsItsContent) {
  for (const std::string& text : {std::string("\n"),
                                  std::string("half\nhidden"),
                                  std::string("hidden\x01"),
                                  std::string(4097, 'x')}) {
    WriteFile(path_, text);
    const auto file = TokenFile::Open(path_);
    EXPECT_EQ(file.status().code(), absl::StatusCode::kFailedPrecondition) << text;
    EXPECT_THAT(std::string(Message(file.status())), HasSubstr("must hold one token"));
    EXPECT_THAT(std::string(Message(file.status())), testing::Not(HasSubstr("hidden")));
  }
  WriteFile(path_, std::string(4096, 'x'));
  EXPECT_TRUE(TokenFile::Open(path_).ok());
  EXPECT_EQ(TokenFile::Open(path_ + "x").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace millrace::security
