#include "common/security/watched_files.h"

#include <filesystem>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/security/certificate_maker.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::security {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Contents = std::vector<std::string>;

class WatchedFilesTest : public testing::Test {
 protected:
  storage::TemporaryFolder folder_;
  std::string a_ = WriteFile(folder_.path() + "/a", "1");
  std::string b_ = WriteFile(folder_.path() + "/b", "2");
};

TEST_F(WatchedFilesTest, OffersAllFilesTogetherAtTheStartAndWhenOneChanges) {
  std::vector<Contents> taken;
  const auto files =
      WatchedFiles::Start("pair", {{.path = a_}, {.path = b_}}, [&](const Contents& contents) {
        taken.push_back(contents);
        return absl::OkStatus();
      });
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_TRUE((*files)->Look().ok());

  WriteFile(b_, "3");
  EXPECT_TRUE((*files)->Look().ok());

  EXPECT_THAT(taken, ElementsAre(ElementsAre("1", "2"), ElementsAre("1", "3")));
}

TEST_F(WatchedFilesTest, LooksByItself) {
  std::promise<void> changed;
  const auto files = WatchedFiles::Start("pair", {{.path = a_}}, [&](const Contents& contents) {
    if (contents[0] == "new") {
      changed.set_value();
    }
    return absl::OkStatus();
  });
  ASSERT_TRUE(files.ok()) << files.status();

  std::filesystem::rename(WriteFile(folder_.path() + "/c", "new"), a_);

  EXPECT_EQ(changed.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST_F(WatchedFilesTest, OffersWhatWasRefusedOnceOnlyAndThenWhatCameAfter) {
  int offers = 0;
  const auto files = WatchedFiles::Start("pair", {{.path = a_}}, [&](const Contents& contents) {
    ++offers;
    return contents[0] == "bad" ? FailedPrecondition("it is bad") : absl::OkStatus();
  });
  ASSERT_TRUE(files.ok()) << files.status();
  WriteFile(a_, "bad");

  EXPECT_THAT(std::string(Message((*files)->Look())), HasSubstr("it is bad"));
  EXPECT_TRUE((*files)->Look().ok()) << "nothing changed";
  EXPECT_EQ(offers, 2);
  WriteFile(a_, "good");
  EXPECT_TRUE((*files)->Look().ok());
  EXPECT_EQ(offers, 3);
}

TEST_F(WatchedFilesTest, AFileThatDisappearsIsNoOffer) {
  int offers = 0;
  const auto files = WatchedFiles::Start("pair", {{.path = a_}}, [&](const Contents&) {
    ++offers;
    return absl::OkStatus();
  });
  ASSERT_TRUE(files.ok()) << files.status();
  std::filesystem::remove(a_);

  const absl::Status status = (*files)->Look();

  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("cannot read " + a_));
  EXPECT_EQ(offers, 1);
}

TEST_F(WatchedFilesTest, DoesNotStartWithAMissingALargeOrARefusedFile) {
  const auto take = [](const Contents&) { return absl::OkStatus(); };
  EXPECT_EQ(WatchedFiles::Start("pair", {{.path = a_ + "x"}}, take).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(WatchedFiles::Start("pair", {{.path = folder_.path()}}, take).status().code(),
            absl::StatusCode::kNotFound);
  WriteFile(a_, std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(WatchedFiles::Start("pair", {{.path = a_}}, take).status().code(),
            absl::StatusCode::kFailedPrecondition);
  WriteFile(a_, std::string(1 << 20, 'x'));
  EXPECT_TRUE(WatchedFiles::Start("pair", {{.path = a_}}, take).ok());
  const auto refused = WatchedFiles::Start(
      "pair", {{.path = a_}}, [](const Contents&) { return FailedPrecondition("it is bad"); });
  EXPECT_THAT(std::string(Message(refused.status())), HasSubstr("it is bad"));
}

TEST_F(WatchedFilesTest, SaysWhenAFileThatWasTakenIsGoneAndOffersItWhenItIsBack) {
  int offers = 0;
  int gone = 0;
  const auto files = WatchedFiles::Start(
      "pair",
      {{.path = a_}},
      [&](const Contents&) {
        ++offers;
        return absl::OkStatus();
      },
      [&] { ++gone; });
  ASSERT_TRUE(files.ok()) << files.status();
  std::filesystem::remove(a_);
  EXPECT_FALSE((*files)->Look().ok());
  EXPECT_EQ(gone, 1);
  WriteFile(a_, "1");  // as it was
  EXPECT_TRUE((*files)->Look().ok());
  EXPECT_EQ(offers, 2);
}

TEST_F(WatchedFilesTest, AFileThatOthersMayHaveIsNotTakenAndTheFixIsSaid) {
  using std::filesystem::perms;
  int offers = 0;
  const auto start = [&](Guard guard, unsigned mode) {
    std::filesystem::permissions(a_, perms(mode));
    return WatchedFiles::Start("pair", {{.path = a_, .guard = guard}}, [&](const Contents&) {
      ++offers;
      return absl::OkStatus();
    });
  };
  for (const unsigned mode : {0640U, 0604U, 0660U, 0644U, 0601U}) {
    const auto files = start(Guard::kOnlyOwner, mode);
    ASSERT_EQ(files.status().code(), absl::StatusCode::kFailedPrecondition) << mode;
    EXPECT_EQ(Fix(files.status()), "chmod 600 " + a_);
  }
  for (const unsigned mode : {0602U, 0666U, 0777U}) {
    const auto files = start(Guard::kNotWritableByOthers, mode);
    ASSERT_EQ(files.status().code(), absl::StatusCode::kFailedPrecondition) << mode;
    EXPECT_EQ(Fix(files.status()), "chmod 600 " + a_);
  }
  EXPECT_TRUE(start(Guard::kNotWritableByOthers, 0644U).ok());
  EXPECT_TRUE(start(Guard::kNone, 0666U).ok());
  const auto files = start(Guard::kOnlyOwner, 0600U);
  ASSERT_TRUE(files.ok());

  offers = 0;
  WriteFile(a_, "new");
  std::filesystem::permissions(a_, perms(0640U));
  EXPECT_EQ((*files)->Look().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(offers, 0);
  std::filesystem::permissions(a_, perms(0400U));
  EXPECT_TRUE((*files)->Look().ok());
  EXPECT_EQ(offers, 1);
}

}  // namespace
}  // namespace millrace::security
