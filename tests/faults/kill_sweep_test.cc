// Goal: a service that is killed anywhere leaves the old state or the new one. Method:
// kill_sweep.h.

#include "tests/faults/kill_sweep.h"

#include <iostream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::faults {
namespace {

using storage::TemporaryFolder;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class KillSweepTest : public testing::TestWithParam<Flow> {};

TEST_P(KillSweepTest, AKillAnywhereLeavesTheOldStateOrTheNew) {
  const TemporaryFolder folder;

  const KillSweep sweep = KillSweeper(GetParam(), folder.path()).Run();

  EXPECT_THAT(sweep.failures, IsEmpty());
  EXPECT_GE(sweep.points, 4) << "less than a careful writer of one file needs";
  std::cout << GetParam().name << ": killed at " << sweep.points << " points\n";
}

INSTANTIATE_TEST_SUITE_P(Flows, KillSweepTest, testing::ValuesIn(Flows()), [](const auto& flow) {
  return flow.param.name;
});

TEST(KillSweepCanary, AWriterInPlaceIsCaught) {
  const TemporaryFolder folder;

  const KillSweep sweep = KillSweeper(NaiveInPlace(), folder.path()).Run();

  EXPECT_THAT(sweep.failures, Contains(HasSubstr("neither the old state nor the new")));
  EXPECT_GE(sweep.points, 3);
}

TEST(KillSweepCanary, PointsThatWouldNotFireOnAnotherThreadAreCaught) {
  const TemporaryFolder folder;

  const KillSweep sweep = KillSweeper(NaiveOnTwoThreads(), folder.path()).Run();

  EXPECT_THAT(sweep.failures, Contains(HasSubstr("threads change the disk")));
}

TEST(KillSweepCanary, AKillThatDoesNotFireIsAFailure) {
  const TemporaryFolder folder;
  KillSweeper sweeper(NaiveWithoutSync(), folder.path());
  EXPECT_THAT(sweeper.Run().failures, IsEmpty()) << "the page cache outlives the process";

  EXPECT_THAT(sweeper.Try({.call = "rename", .ordinal = 2}, "too_far"),
              HasSubstr("the kill did not fire"));
  EXPECT_THAT(sweeper.Try({.call = "fsync", .ordinal = 1}, "never"),
              HasSubstr("the kill did not fire"));
}

}  // namespace
}  // namespace millrace::faults
