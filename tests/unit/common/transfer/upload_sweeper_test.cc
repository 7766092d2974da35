#include "common/transfer/upload_sweeper.h"

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "millrace/transfer/v1/transfer.pb.h"

#include "common/storage/file_system.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/common/transfer/set_clock.h"

namespace millrace::transfer {
namespace {

TEST(UploadSweeperTest, WhatHasExpiredGoesAlthoughNobodyAsks) {
  const storage::TemporaryFolder folder;
  SetClock clock;
  const auto store = *UploadStore::Open(
      storage::PosixFileSystem(),
      folder.path(),
      clock,
      {.upload_bytes_max = 10, .unfinished_bytes_max = 10, .expire = std::chrono::hours(1)});
  ASSERT_TRUE(store->Begin("0123456789abcdef", v1::GetUploadRequest(), {}).ok());
  const auto count = [&] { return storage::PosixFileSystem().List(folder.path())->size(); };
  const UploadSweeper sweeper(*store, std::chrono::milliseconds(1));
  EXPECT_EQ(count(), 2U);

  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (count() > 0 && std::chrono::steady_clock::now() < give_up) {
    clock.Advance(std::chrono::minutes(1));
    std::this_thread::yield();
  }
  EXPECT_EQ(count(), 0U);
}

TEST(UploadSweeperTest, EndsAtOnceWhateverItsPeriod) {
  const storage::TemporaryFolder folder;
  SetClock clock;
  const auto store = *UploadStore::Open(storage::PosixFileSystem(), folder.path(), clock, {});

  const UploadSweeper sweeper(*store, std::chrono::hours(1'000));
}

}  // namespace
}  // namespace millrace::transfer
