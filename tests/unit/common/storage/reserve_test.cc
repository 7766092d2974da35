#include "common/storage/reserve.h"

#include <filesystem>
#include <fstream>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/status/status.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kBytes = std::int64_t{1} << 20;

class ReserveTest : public testing::Test {
 protected:
  [[nodiscard]] bool IsThere() const { return std::filesystem::exists(path_); }

  // What a full disk says as long as the reserve is not given.
  absl::Status Work() {
    ++calls_;
    return IsThere() ? ResourceExhausted("full") : absl::OkStatus();
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/reserve";
  std::shared_ptr<Reserve> reserve_ = Reserve::Of(folder_.path());
  std::vector<std::int64_t> told_;
  int calls_ = 0;
};

TEST_F(ReserveTest, ItsBlocksAreReallyThere) {
  reserve_->Keep(kBytes);

  struct stat status {};

  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_size, kBytes);
  EXPECT_GE(status.st_blocks * 512, kBytes);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(ReserveTest, WhatMakesRoomGetsItAndItIsTakenAgain) {
  reserve_->Keep(kBytes, [this](std::int64_t bytes) { told_.push_back(bytes); });

  EXPECT_TRUE(reserve_->Spend([this] { return Work(); }).ok());

  EXPECT_EQ(calls_, 2);
  EXPECT_TRUE(IsThere());
  EXPECT_THAT(told_, ElementsAre(kBytes, 0, kBytes));
}

TEST_F(ReserveTest, OtherErrorsAndSuccessLeaveItWhereItIs) {
  reserve_->Keep(kBytes, [this](std::int64_t bytes) { told_.push_back(bytes); });

  EXPECT_EQ(reserve_->Spend([] { return NotFound("nothing"); }).code(),
            absl::StatusCode::kNotFound);
  EXPECT_TRUE(reserve_->Spend([] { return absl::OkStatus(); }).ok());

  EXPECT_THAT(told_, ElementsAre(kBytes));
}

TEST_F(ReserveTest, OneThatNoDiskHasRoomForIsNoErrorButRefusesWhatGrows) {
  reserve_->Keep(std::int64_t{1} << 60, [this](std::int64_t bytes) { told_.push_back(bytes); });

  EXPECT_FALSE(IsThere());
  EXPECT_THAT(told_, ElementsAre(0));
  const absl::Status refused = reserve_->CheckRoom();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Fix(refused), HasSubstr("millrace dataset rm"));
}

TEST_F(ReserveTest, OfNoBytesIsNoneAndRefusesNothing) {
  std::ofstream(path_) << "left by an older setting";
  reserve_->Keep(0);
  EXPECT_FALSE(IsThere());
  EXPECT_TRUE(reserve_->CheckRoom().ok());
}

TEST_F(ReserveTest, AllWhoWorkInAFolderShareItByWhateverPath) {
  EXPECT_EQ(Reserve::Of(folder_.path() + "/"), reserve_);
  EXPECT_EQ(Reserve::Of(folder_.path() + "/audit/.."), reserve_);
  EXPECT_NE(Reserve::Of(folder_.path() + "/other"), reserve_);
}

}  // namespace
}  // namespace millrace::storage
