#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "common/storage/sha256.h"
#include "common/transfer/upload_store.h"
#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/common/transfer/upload_store_fixture.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::transfer {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::IsEmpty;
using training::Fails;

TEST_F(UploadStoreTest, OneCallMayBringTheWhole) {
  Complete();
}

TEST_F(UploadStoreTest, AnUploadGoesOnWhereItsCallBroke) {
  Send(0, 3'000);
  EXPECT_EQ(Received(), 3'000);
  Send(3'000, 9'000);
  EXPECT_EQ(Received(), 9'000);
  Complete();
}

TEST_F(UploadStoreTest, AnUploadGoesOnAfterARestart) {
  Send(0, 3'000);
  Restart();
  EXPECT_EQ(Received(), 3'000);
  Send(3'000, 9'000);
  Restart();
  Complete();
}

TEST_F(UploadStoreTest, AWholeThatWasNotAnsweredForNeedsOnlyItsClose) {
  {
    const auto upload = Begin();
    ASSERT_TRUE(TakeRange(*upload, bytes_, 0, 10'500).ok());
    ExpectWhole(*upload);
  }
  Restart();
  EXPECT_EQ(Received(), 10'500);
  ExpectWhole(*Begin());
}

TEST_F(UploadStoreTest, NothingIsAnUploadToo) {
  bytes_.clear();
  Complete();
}

TEST_F(UploadStoreTest, AnAnswerEndsAnUploadUnlessItMayPass) {
  for (const absl::Status& passing : {absl::CancelledError(),
                                      absl::UnavailableError("full"),
                                      absl::ResourceExhaustedError("busy")}) {
    const auto upload = Begin();
    ASSERT_TRUE(TakeRange(*upload, bytes_, 0, 10'500).ok());
    ExpectWhole(*upload);
    upload->Answer(passing);
    EXPECT_EQ(Received(), 10'500);
  }
  for (const absl::Status& last :
       {absl::OkStatus(), absl::InvalidArgumentError("no CSV"), absl::InternalError("a bug")}) {
    Complete();
    Begin()->Answer(last);
    EXPECT_EQ(Received(), 10'500) << "an answer to no whole";
    {
      const auto upload = Begin();
      ExpectWhole(*upload);
      upload->Answer(last);
    }
    EXPECT_THAT(store_->Find(kId), Fails(absl::StatusCode::kNotFound, "no such upload"));
    EXPECT_THAT(Files(), IsEmpty());
  }
}

TEST_F(UploadStoreTest, AnUnnamedUploadGoesWithItsCall) {
  {
    const auto upload = Begin("");
    ASSERT_TRUE(TakeRange(*upload, bytes_, 0, 10'500).ok());
    EXPECT_THAT(TakeAt(*upload, 3, "x"), Fails(kInvalid, "must begin at byte 10500"));
    EXPECT_EQ(Files().size(), 1U);
  }
  EXPECT_THAT(Files(), IsEmpty());
  const auto upload = Begin("");
  ASSERT_TRUE(TakeRange(*upload, bytes_, 0, 10'500).ok());
  ExpectWhole(*upload);
}

TEST_F(UploadStoreTest, TheFirstChunkMayBeginAtAnyByteThatIsThere) {
  Send(0, 5'000);
  {
    const auto upload = Begin();
    EXPECT_THAT(TakeAt(*upload, 5'001, "x"),
                Fails(kInvalid, "has 5000 bytes; the next chunk must begin there or before"));
    EXPECT_THAT(TakeAt(*upload, -1, "x"), Fails(kInvalid, "found offset -1"));
  }
  EXPECT_EQ(Received(), 5'000);
  for (const std::int64_t begin : {5'000, 4'999, 2'000, 0}) {
    Send(begin, begin + 100);
    EXPECT_EQ(Received(), begin + 100);
    Restart();
    EXPECT_EQ(Received(), begin + 100);
    Send(begin + 100, 5'000);
  }
  Complete();
}

TEST_F(UploadStoreTest, WhatIsSentAgainReplacesWhatWasThere) {
  const std::string right = bytes_;
  bytes_ = std::string(5'000, 'x');
  Send(0, 5'000);
  bytes_ = right;
  const auto upload = Begin();
  ASSERT_TRUE(TakeRange(*upload, bytes_, 0, 10'500).ok());
  ExpectWhole(*upload);
}

TEST_F(UploadStoreTest, WithinACallChunksAreInOrder) {
  const auto upload = Begin();
  ASSERT_TRUE(TakeAt(*upload, 0, "abc").ok());
  EXPECT_THAT(TakeAt(*upload, 2, "d"), Fails(kInvalid, "must begin at byte 3, found offset 2"));
  EXPECT_THAT(TakeAt(*upload, 4, "d"), Fails(kInvalid, "must begin at byte 3, found offset 4"));
  EXPECT_TRUE(TakeAt(*upload, 3, "d").ok());
}

TEST_F(UploadStoreTest, TheLastCallThatAsksHasTheUpload) {
  const auto first = Begin();
  ASSERT_TRUE(TakeRange(*first, bytes_, 0, 2'000).ok());
  const auto second = Begin();

  EXPECT_THAT(TakeAt(*first, 2'000, "x"), Fails(kAborted, "another call goes on"));
  EXPECT_THAT(first->Finish(CloseOf(bytes_)), Fails(kAborted, "another call goes on"));
  ASSERT_TRUE(TakeRange(*second, bytes_, 0, 10'500).ok());
  ExpectWhole(*second);
  first->Answer(absl::OkStatus());
  EXPECT_EQ(Received(), 10'500) << "the first has nothing to say";
}

TEST_F(UploadStoreTest, ACallThatLostItsUploadLeavesItAlone) {
  auto first = Begin();
  ASSERT_TRUE(TakeRange(*first, bytes_, 0, 2'000).ok());
  const auto second = Begin();
  ASSERT_TRUE(TakeRange(*second, bytes_, 0, 1'000).ok());
  first.reset();

  ASSERT_TRUE(TakeRange(*second, bytes_, 1'000, 10'500).ok());
  ExpectWhole(*second);
}

TEST_F(UploadStoreTest, AWholeThatIsBeingWorkedOnIsNotGivenAway) {
  auto upload = Begin();
  ASSERT_TRUE(TakeRange(*upload, bytes_, 0, 10'500).ok());
  ExpectWhole(*upload);
  Pass(hours(100));

  EXPECT_THAT(store_->Begin(kId, header_, sender_),
              Fails(absl::StatusCode::kUnavailable, "whole and being worked on"));
  upload.reset();
  EXPECT_THAT(store_->Find(kId), Fails(absl::StatusCode::kNotFound, "go on")) << "it expired";
}

TEST_F(UploadStoreTest, CallsThatTakeTheUploadFromEachOtherNeverMixTheirBytes) {
  bytes_ = Bytes(100'000);
  std::vector<std::thread> calls;
  calls.reserve(4);
  for (int call = 0; call < 4; ++call) {
    calls.emplace_back([&, own = std::string(bytes_.size(), static_cast<char>('A' + call))] {
      for (int i = 0; i < 20; ++i) {
        const auto upload = store_->Begin(kId, header_, sender_);
        if (!upload.ok() || !TakeRange(**upload, own, 0, 100'000).ok()) {
          continue;
        }
        if ((*upload)->Finish(CloseOf(own)).ok()) {
          const auto file = *(*upload)->OpenBytes();
          EXPECT_TRUE(*file->Read(0, file->size()) == own);
        }
      }
    });
  }
  for (std::thread& call : calls) {
    call.join();
  }
  const auto upload = Begin();
  ASSERT_TRUE(TakeRange(*upload, bytes_, 0, 100'000).ok());
  ExpectWhole(*upload);
}

TEST_F(UploadStoreTest, TheBytesOfOneUploadAreBoundedOverAllItsCalls) {
  limits_.upload_bytes_max = 5'000;
  Restart();
  Send(0, 4'999);
  const auto upload = Begin();
  EXPECT_THAT(TakeAt(*upload, 4'999, "xy"), Fails(kExhausted, "at most 5000 bytes"));
  EXPECT_TRUE(TakeAt(*upload, 4'999, "x").ok());
  EXPECT_THAT(TakeAt(*upload, 5'000, "x"), Fails(kExhausted, "at most 5000 bytes"));
}

TEST_F(UploadStoreTest, AWholeThatDisagreesWithItsCloseIsGone) {
  Send(0, 10'500);
  EXPECT_THAT(Begin()->Finish(CloseOf(bytes_ + "x")),
              Fails(absl::StatusCode::kDataLoss, "10501 bytes were sent, found 10500"));
  EXPECT_THAT(Files(), IsEmpty());
  Complete();
}

TEST_F(UploadStoreTest, ADamagedByteIsFoundByTheClose) {
  Send(0, 5'000);
  {
    std::fstream file(PathOf(".upload"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(2'345);
    file.put('!');
  }
  Restart();
  const auto upload = Begin();
  ASSERT_TRUE(TakeRange(*upload, bytes_, 5'000, 10'500).ok());
  EXPECT_THAT(upload->Finish(CloseOf(bytes_)),
              Fails(absl::StatusCode::kDataLoss, "the bytes have SHA-256"));
  Complete();
}

TEST_F(UploadStoreTest, WithoutSomeOfItsBytesItBeginsAnew) {
  const std::vector<std::function<void()>> damages = {
      [this] { std::filesystem::resize_file(PathOf(".upload"), 4'999); },
      [this] { std::filesystem::remove(PathOf(".upload")); },
      [this] { std::filesystem::remove(PathOf(".journal")); },
      [this] { std::filesystem::resize_file(PathOf(".journal"), 20); },
      [this] { std::filesystem::resize_file(PathOf(".journal"), 0); },
      [this] { std::ofstream(PathOf(".journal")) << "something else\n"; }};
  for (const auto& damage : damages) {
    Send(0, 5'000);
    store_.reset();
    damage();
    Restart();
    EXPECT_THAT(store_->Find(kId), Fails(absl::StatusCode::kNotFound, "go on"));
    EXPECT_THAT(Files(), IsEmpty());
  }
  Complete();
}

TEST_F(UploadStoreTest, BytesThatWereNotAcknowledgedAreCutOff) {
  Send(0, 5'000);
  store_.reset();
  std::ofstream(PathOf(".upload"), std::ios::app) << "what a power cut left";
  std::ofstream(PathOf(".journal"), std::ios::app) << "7000 17000";
  Restart();
  EXPECT_EQ(Received(), 5'000);
  Complete();
}

TEST_F(UploadStoreTest, KilledAfterAnyChunkItGoesOnFromWhatWasSynced) {
  bytes_ = Bytes(18'000'000);
  const std::int64_t step = kChunkBytesMax;
  const auto size = static_cast<std::int64_t>(bytes_.size());
  const auto upload = Begin();
  for (std::int64_t at = 0; at < size; at += step) {
    ASSERT_TRUE(TakeAt(*upload,
                       at,
                       bytes_.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(step)))
                    .ok());
    const storage::TemporaryFolder copy;
    std::filesystem::copy(folder_.path(),
                          copy.path(),
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
    const auto store = *UploadStore::Open(storage::PosixFileSystem(), copy.path(), clock_, limits_);
    const std::int64_t received = store->Find(kId)->received_bytes();
    EXPECT_EQ(received, std::min(at + step, size) / (8 * step) * 8 * step);
    EXPECT_EQ(received, Received()) << "no more is acknowledged than would be there";
  }
}

TEST_F(UploadStoreTest, WhateverFailsNothingAcknowledgedIsLost) {
  const auto attempt = [this](storage::FileSystem& files) {
    const auto store = UploadStore::Open(files, folder_.path(), clock_, limits_);
    if (!store.ok()) {
      return;
    }
    for (const auto& [begin, end] : std::vector<std::pair<std::int64_t, std::int64_t>>{
             {0, 2'000}, {2'000, 4'000}, {3'000, 10'500}}) {
      const auto upload = (*store)->Begin(kId, header_, sender_);
      if (!upload.ok()) {
        return;
      }
      TakeRange(**upload, bytes_, begin, end).IgnoreError();
    }
    if (const auto upload = (*store)->Begin(kId, header_, sender_); upload.ok()) {
      (*upload)->Finish(CloseOf(bytes_)).IgnoreError();
    }
  };
  storage::FaultyFileSystem whole;
  attempt(whole);
  const auto count = static_cast<int>(whole.operations().size());
  EXPECT_GT(count, 30);
  for (int failing = 1; failing <= count; ++failing) {
    std::filesystem::remove(PathOf(".upload"));
    std::filesystem::remove(PathOf(".journal"));
    storage::FaultyFileSystem faulty(failing);
    attempt(faulty);
    Restart();
    SCOPED_TRACE(testing::Message()
                 << failing << ": " << faulty.operations()[static_cast<std::size_t>(failing) - 1]);
    Complete();
  }
}

}  // namespace
}  // namespace millrace::transfer
