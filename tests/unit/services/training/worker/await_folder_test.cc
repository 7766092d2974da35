#include "services/training/worker/await_folder.h"

#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::training {
namespace {

using std::chrono::milliseconds;
using storage::FolderLock;

constexpr milliseconds kLong{600'000};

TEST(AwaitFolderTest, AFreeFolderIsTakenAtOnce) {
  const storage::TemporaryFolder folder;

  const auto lock = AwaitFolder(folder.path(), milliseconds(0), {});

  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_THAT(FolderLock::Take(folder.path()),
              Fails(absl::StatusCode::kFailedPrecondition, "in use by another process"));
}

TEST(AwaitFolderTest, AHeldFolderIsTakenOnceItIsFree) {
  const storage::TemporaryFolder folder;
  std::optional<FolderLock> held = FolderLock::Take(folder.path()).value();
  std::thread holder([&] { held.reset(); });

  const auto lock = AwaitFolder(folder.path(), kLong, {});

  holder.join();
  EXPECT_TRUE(lock.ok()) << lock.status();
}

TEST(AwaitFolderTest, TheWaitHasAnEnd) {
  const storage::TemporaryFolder folder;
  const FolderLock held = FolderLock::Take(folder.path()).value();

  EXPECT_THAT(AwaitFolder(folder.path(), milliseconds(1), {}),
              Fails(absl::StatusCode::kFailedPrecondition, "in use by another process"));
}

TEST(AwaitFolderTest, AStopEndsTheWait) {
  const storage::TemporaryFolder folder;
  const FolderLock held = FolderLock::Take(folder.path()).value();
  std::stop_source stop;
  std::thread stopper([&] { stop.request_stop(); });

  EXPECT_THAT(AwaitFolder(folder.path(), kLong, stop.get_token()),
              Fails(absl::StatusCode::kCancelled, "waited for its folder"));
  stopper.join();
}

TEST(AwaitFolderTest, AFolderThatIsNotThereIsNotWaitedFor) {
  EXPECT_THAT(AwaitFolder("/nowhere", kLong, {}), Fails(absl::StatusCode::kNotFound, "/nowhere"));
}

}  // namespace
}  // namespace millrace::training
