// Goal: a power cut anywhere leaves the old state or the new one. Method: power_loss_sweep.h.

#include <iostream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/faults/power_loss_disk.h"
#include "tests/faults/power_loss_sweep.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::faults {
namespace {

using storage::TemporaryFolder;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class PowerLossTest : public testing::TestWithParam<Flow> {};

TEST_P(PowerLossTest, APowerCutAnywhereLeavesTheOldStateOrTheNew) {
  const TemporaryFolder folder;

  const PowerLossSweep sweep = SweepPowerLoss(GetParam(), folder.path());

  EXPECT_THAT(sweep.failures, IsEmpty());
  EXPECT_GE(sweep.disks, sweep.points);
  std::cout << GetParam().name << ": the power went out at " << sweep.points << " points, and left "
            << sweep.disks << " disks\n";
}

INSTANTIATE_TEST_SUITE_P(Flows, PowerLossTest, testing::ValuesIn(Flows()), [](const auto& flow) {
  return flow.param.name;
});

class PowerLossCanary : public testing::Test {
 protected:
  static std::vector<std::string> FailuresOf(const Flow& flow) {
    const TemporaryFolder folder;
    return SweepPowerLoss(flow, folder.path()).failures;
  }
};

TEST_F(PowerLossCanary, AWriterInPlaceIsCaught) {
  EXPECT_THAT(FailuresOf(NaiveInPlace()), Contains(HasSubstr("neither the old state nor the new")));
}

TEST_F(PowerLossCanary, AWriterThatNeverSyncsIsCaught) {
  const auto failures = FailuresOf(NaiveWithoutSync());
  EXPECT_THAT(failures, Contains(HasSubstr("neither the old state nor the new")));
  EXPECT_THAT(failures, Contains(HasSubstr("what was acknowledged is lost")));
}

TEST_F(PowerLossCanary, ANameWithoutItsContentIsCaught) {
  EXPECT_THAT(FailuresOf(NaiveWithoutFileSync()),
              Contains(HasSubstr("neither the old state nor the new")));
}

TEST_F(PowerLossCanary, ARenameThatIsNotSyncedIsCaught) {
  const auto failures = FailuresOf(NaiveWithoutFolderSync());
  EXPECT_THAT(failures, Contains(HasSubstr("what was acknowledged is lost")));
  EXPECT_THAT(failures, testing::Not(Contains(HasSubstr("neither the old state")))) << "it is safe";
}

TEST_F(PowerLossCanary, ACommitThatIsNotSyncedIsCaught) {
  const auto failures = FailuresOf(NaiveCatalog());
  EXPECT_THAT(failures, Contains(HasSubstr("what was acknowledged is lost")));
  EXPECT_THAT(failures, testing::Not(Contains(HasSubstr("neither the old state")))) << "it is safe";
}

class PowerLossDiskTest : public testing::Test {
 protected:
  [[nodiscard]] std::string Path(const std::string& name) const {
    return folder_.path() + "/" + name;
  }

  std::unique_ptr<storage::WritableFile> Create(const std::string& name) {
    auto file = disk_.Create(Path(name));
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }

  std::string Read(const std::string& name) {
    const auto file = disk_.Open(Path(name));
    return file.ok() ? *(*file)->Read(0, (*file)->size()) : "none";
  }

  TemporaryFolder folder_;
  PowerLossDisk disk_{folder_.path()};
};

TEST_F(PowerLossDiskTest, ASyncedFileWithoutASyncedNameIsLost) {
  const auto file = Create("a");
  ASSERT_TRUE(file->Append("bytes").ok() && file->Sync().ok());

  disk_.Lose({});

  EXPECT_EQ(Read("a"), "none");
}

TEST_F(PowerLossDiskTest, ASyncedNameKeepsOnlySyncedBytes) {
  const auto file = Create("a");
  ASSERT_TRUE(file->Append("kept").ok() && file->Sync().ok() && file->Append("lost").ok());
  ASSERT_TRUE(disk_.SyncFolder(folder_.path()).ok());
  const auto torn = disk_.Clone();

  disk_.Lose({});
  EXPECT_EQ(Read("a"), "kept");

  torn->Lose({.bytes = Loss::Bytes::kHalf, .changes = {}});
  const auto half = torn->Open(Path("a"));
  ASSERT_TRUE(half.ok());
  EXPECT_EQ(*(*half)->Read(0, 100), "keptlo");
}

TEST_F(PowerLossDiskTest, ARenameHappensWholeOrNotAtAll) {
  ASSERT_TRUE(Create("a")->Append("a").ok());
  ASSERT_TRUE(disk_.SyncFile(Path("a")).ok() && disk_.SyncFolder(folder_.path()).ok());
  ASSERT_TRUE(disk_.Rename(Path("a"), Path("b")).ok());
  const auto done = disk_.Clone();
  ASSERT_EQ(disk_.pending_changes(), 1U);

  disk_.Lose({});
  EXPECT_THAT(*disk_.List(folder_.path()), testing::ElementsAre("a"));

  done->Lose({.bytes = Loss::Bytes::kNone, .changes = {true}});
  EXPECT_THAT(*done->List(folder_.path()), testing::ElementsAre("b"));
}

TEST_F(PowerLossDiskTest, AfterTheCutNothingHappensAnyMore) {
  bool cut = false;
  disk_.CutAt(2, [&] { cut = true; });
  const auto file = Create("a");
  EXPECT_FALSE(cut);

  const absl::Status status = file->Append("bytes");

  EXPECT_TRUE(cut);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("the power is out"));
  EXPECT_EQ(disk_.Rename(Path("a"), Path("b")).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Read("a"), "");
}

}  // namespace
}  // namespace millrace::faults
