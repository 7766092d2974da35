#include "common/state/snapshot_server.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/state/actions.h"
#include "common/status/status.h"
#include "tests/unit/common/state/small_state.h"

namespace millrace::state {
namespace {

namespace fs = std::filesystem;
using config::Words;
using storage::PosixFileSystem;
using testing::HasSubstr;
using testing::IsEmpty;

/// A service that runs on the small state.
class SnapshotServerTest : public testing::Test {
 protected:
  SnapshotServerTest() {
    MakeSmallState(path_);
    Start();
  }

  void Start() {
    server_.reset();
    audit_.reset();
    catalog_.reset();
    lock_ = absl::UnknownError("closed");
    lock_ = storage::StateFolder::Open(PosixFileSystem(), path_, SmallLayout().format);
    catalog_ = *storage::Database::Open(path_ + "/things.db", SmallSchema());
    audit_ = *audit::AuditLog::Open(PosixFileSystem(), SystemClock(), path_ + "/audit");
    auto server = SnapshotServer::Start(
        {.folder = path_, .layout = layout_, .catalog = *catalog_, .audit = *audit_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  [[nodiscard]] std::unique_ptr<LentSnapshot> Ask() const {
    auto lent = LentSnapshot::Ask(path_);
    EXPECT_TRUE(lent.ok()) << lent.status();
    return lent.ok() ? *std::move(lent) : nullptr;
  }

  static absl::StatusOr<StateReport> VerifyAt(const std::string& folder) {
    return Verify(PosixFileSystem(), folder, SmallLayout());
  }

  absl::Status Do(Words::Action action, const std::string& folder = {}) {
    testing::internal::CaptureStdout();
    absl::Status status = Act(layout_, path_, {.action = action, .folder = folder});
    printed_ = testing::internal::GetCapturedStdout();
    return status;
  }

  /// What a deletion does.
  void RemoveThing(const std::string& name) {
    ASSERT_TRUE(catalog_->Query("DELETE FROM thing WHERE name = ?", {name}).ok());
    fs::remove(BlobPath(path_, name));
  }

  storage::TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/state";
  std::string copy_ = folder_.path() + "/copy";
  StateLayout layout_ = SmallLayout();
  absl::StatusOr<storage::StateFolder> lock_ = absl::UnknownError("closed");
  std::unique_ptr<storage::Database> catalog_;
  std::unique_ptr<audit::AuditLog> audit_;
  std::unique_ptr<SnapshotServer> server_;
  std::string printed_;
};

TEST_F(SnapshotServerTest, VerifyAndBackupWorkWhileTheServiceRuns) {
  EXPECT_TRUE(Do(Words::Action::kVerify).ok());
  EXPECT_EQ(printed_, "verified " + path_ + ": 3 blobs, 2 audit lines, 0 damaged\n");
  EXPECT_TRUE(Do(Words::Action::kBackup, copy_).ok());
  EXPECT_EQ(printed_, "copied the state to " + copy_ + " and verified it\n");

  const auto report = VerifyAt(copy_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->damage, IsEmpty());
  EXPECT_EQ(report->blobs, 3);
  EXPECT_EQ(report->changes, 2);
  EXPECT_FALSE(fs::exists(BlobPath(copy_, "unused")));
}

TEST_F(SnapshotServerTest, WhatIsDeletedMeanwhileIsStillInTheSnapshot) {
  const auto lent = Ask();
  RemoveThing("two");
  ASSERT_TRUE(
      audit_
          ->Append(
              {.caller = "c", .request_id = {}, .method = "m", .resource = "r", .outcome = "OK"})
          .ok());

  const auto report = VerifyAt(SnapshotFolder(path_));

  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->damage, IsEmpty());
  EXPECT_EQ(report->blobs, 3);
  EXPECT_EQ(report->changes, 2) << "the audit log of that moment";
}

TEST_F(SnapshotServerTest, TheSnapshotGoesWithItsBorrowerAndTheStateStays) {
  Ask().reset();
  Ask().reset();  // is answered once the first one is gone, and makes it anew
  server_.reset();

  EXPECT_FALSE(fs::exists(SnapshotFolder(path_)));
  EXPECT_FALSE(fs::exists(path_ + "/snapshot.socket"));
  EXPECT_TRUE(fs::exists(BlobPath(path_, "one")));
}

TEST_F(SnapshotServerTest, AServiceThatEndsTakesTheSnapshotAway) {
  const auto lent = Ask();
  EXPECT_EQ(lent->Explain(absl::NotFoundError("a")).code(), absl::StatusCode::kNotFound);
  server_.reset();

  const absl::Status explained = lent->Explain(absl::NotFoundError("a"));

  EXPECT_EQ(explained.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(explained)), HasSubstr("stopped while its state was read"));
  EXPECT_TRUE(lent->Explain(absl::OkStatus()).ok()) << "what was read before is whole";
  EXPECT_FALSE(fs::exists(SnapshotFolder(path_)));
}

TEST_F(SnapshotServerTest, WhereNoServiceRunsNobodyAnswers) {
  server_.reset();
  EXPECT_EQ(Ask(), nullptr);
  path_ += "/none";
  EXPECT_EQ(Ask(), nullptr);
}

TEST_F(SnapshotServerTest, WhatAKilledServiceLeftIsInNobodysWay) {
  server_.reset();
  fs::create_directories(SnapshotFolder(path_) + "/blobs");
  std::ofstream(path_ + "/snapshot.socket") << "no socket any more";

  Start();

  EXPECT_FALSE(fs::exists(SnapshotFolder(path_)));
  EXPECT_TRUE(Do(Words::Action::kVerify).ok());
}

TEST_F(SnapshotServerTest, DamageIsNamedAndIsNotBackedUp) {
  fs::remove(BlobPath(path_, "two"));

  EXPECT_EQ(Do(Words::Action::kVerify).code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(printed_, HasSubstr("is missing, needed by things/two\n"));
  const absl::Status backup = Do(Words::Action::kBackup, copy_);
  EXPECT_EQ(backup.code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(fs::exists(copy_));
}

TEST_F(SnapshotServerTest, WhatKeepsASnapshotFromBeingMadeIsTold) {
  fs::remove_all(path_ + "/audit");

  const absl::Status status = Do(Words::Action::kVerify);

  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("/audit"));
  EXPECT_FALSE(fs::exists(SnapshotFolder(path_)));
}

TEST_F(SnapshotServerTest, APathThatIsTooLongForASocketIsNone) {
  server_.reset();
  const std::string longer = folder_.path() + "/" + std::string(150, 'a');
  fs::rename(path_, longer);
  path_ = longer;

  Start();

  EXPECT_TRUE(Do(Words::Action::kVerify).ok());
}

TEST_F(SnapshotServerTest, OnlyTheOwnerMayAsk) {
  EXPECT_EQ(fs::status(path_ + "/snapshot.socket").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

}  // namespace
}  // namespace millrace::state
