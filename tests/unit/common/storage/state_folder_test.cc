#include "common/storage/state_folder.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::storage {
namespace {

using testing::HasSubstr;

class StateFolderTest : public testing::Test {
 protected:
  [[nodiscard]] absl::StatusOr<StateFolder> Open(int version = 2,
                                                 const std::string& service = "data") const {
    return StateFolder::Open(PosixFileSystem(), path_, {.service = service, .version = version});
  }

  [[nodiscard]] std::string Format() const {
    std::ostringstream text;
    text << std::ifstream(path_ + "/format").rdbuf();
    return text.str();
  }

  void SetFormat(const std::string& text) const { std::ofstream(path_ + "/format") << text; }

  static void ExpectFails(const absl::Status& status,
                          absl::StatusCode code,
                          const std::string& phrase) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(phrase));
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/state";
};

TEST_F(StateFolderTest, TheFirstOpeningWritesTheFormatAndLaterOnesReadIt) {
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Format(), "millrace data 2\n");
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Format(), "millrace data 2\n");
}

TEST_F(StateFolderTest, ANewerFormatIsRefusedAndStays) {
  ASSERT_TRUE(Open(3).ok());

  const absl::Status status = Open(2).status();

  ExpectFails(status,
              absl::StatusCode::kFailedPrecondition,
              "was written by a newer Millrace (format 3; this program knows up to 2)");
  EXPECT_THAT(Fix(status), HasSubstr("start the newer program"));
  EXPECT_EQ(Format(), "millrace data 3\n");
}

TEST_F(StateFolderTest, AnOlderFormatBecomesThisOnesSoThatTheOlderProgramRefusesIt) {
  ASSERT_TRUE(Open(1).ok());
  ASSERT_TRUE(Open(2).ok());

  EXPECT_EQ(Format(), "millrace data 2\n");
  ExpectFails(Open(1).status(), absl::StatusCode::kFailedPrecondition, "newer Millrace");
}

TEST_F(StateFolderTest, AnotherServicesStateIsRefused) {
  ASSERT_TRUE(Open(1, "serving").ok());

  ExpectFails(Open().status(),
              absl::StatusCode::kFailedPrecondition,
              "is that of the service 'serving', not of 'data'");
}

TEST_F(StateFolderTest, AFormatThatCannotBeReadIsDamage) {
  ASSERT_TRUE(Open().ok());
  for (const char* const text : {"",
                                 "millrace",
                                 "millrace data",
                                 "millrace data 2",
                                 "millrace data x\n",
                                 "millrace data 0\n",
                                 "millrace data 2 3\n",
                                 "millrace  2\n",
                                 "millrace data 99999999999\n",
                                 "another data 2\n"}) {
    SetFormat(text);
    ExpectFails(Open().status(), absl::StatusCode::kDataLoss, "does not say which format");
  }
}

TEST_F(StateFolderTest, OneProcessOwnsIt) {
  const auto owner = Open();
  ASSERT_TRUE(owner.ok());

  ExpectFails(Open().status(), absl::StatusCode::kFailedPrecondition, "in use by another process");
  ExpectFails(
      StateFolder::OpenAsItIs(PosixFileSystem(), path_, {.service = "data", .version = 2}).status(),
      absl::StatusCode::kFailedPrecondition,
      "in use by another process");
}

TEST_F(StateFolderTest, OpenAsItIsMakesNothingAndUpgradesNothing) {
  const auto open = [&] {
    return StateFolder::OpenAsItIs(PosixFileSystem(), path_, {.service = "data", .version = 2})
        .status();
  };
  ExpectFails(open(), absl::StatusCode::kNotFound, "holds no state");
  EXPECT_FALSE(std::filesystem::exists(path_));

  ASSERT_TRUE(Open(1).ok());
  EXPECT_TRUE(open().ok());
  EXPECT_EQ(Format(), "millrace data 1\n");
}

TEST_F(StateFolderTest, ACopyOpensWhenItIsFinishedAndNotBefore) {
  for (const bool finished : {false, true}) {
    std::filesystem::remove_all(path_);
    {
      auto copy = StateFolder::OpenToFill(PosixFileSystem(), path_);
      ASSERT_TRUE(copy.ok()) << copy.status();
      if (finished) {
        ASSERT_TRUE(copy->Finish(PosixFileSystem(), {.service = "data", .version = 2}).ok());
      }
    }
    const absl::Status status = Open().status();
    if (finished) {
      EXPECT_TRUE(status.ok()) << status;
    } else {
      ExpectFails(
          status, absl::StatusCode::kFailedPrecondition, "is a copy that was never finished");
    }
  }
}

TEST_F(StateFolderTest, OnlyAnEmptyFolderIsFilled) {
  std::filesystem::create_directories(path_ + "/lost+found");
  EXPECT_TRUE(StateFolder::OpenToFill(PosixFileSystem(), path_).ok());

  const absl::Status status = StateFolder::OpenToFill(PosixFileSystem(), path_).status();
  ExpectFails(status, absl::StatusCode::kFailedPrecondition, "is not empty: it holds 'format'");
}

// Goal: whatever step of the first opening fails, the next one succeeds.
TEST_F(StateFolderTest, AFailedFirstOpeningCanBeRepeated) {
  for (int failing = 1; failing <= 8; ++failing) {
    std::filesystem::remove_all(path_);
    FaultyFileSystem disk(failing);
    const absl::Status status =
        StateFolder::Open(disk, path_, {.service = "data", .version = 2}).status();
    ExpectFails(status, absl::StatusCode::kUnavailable, "on purpose");
    EXPECT_TRUE(Open().ok()) << failing;
    EXPECT_EQ(Format(), "millrace data 2\n") << failing;
  }
}

}  // namespace
}  // namespace millrace::storage
