#include "common/transfer/upload_store.h"

#include <algorithm>
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
#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/common/transfer/set_clock.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::transfer {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::IsEmpty;
using training::Fails;

const std::string kId = "upload-0123456789abcdef";
constexpr std::int64_t kChunk = 1'000;
constexpr auto kAborted = absl::StatusCode::kAborted;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

std::string Bytes(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<char>('a' + i * i % 23);
  }
  return bytes;
}

v1::Close CloseOf(const std::string& bytes) {
  v1::Close close;
  close.set_size_bytes(static_cast<std::int64_t>(bytes.size()));
  close.set_sha256(storage::Sha256Of(bytes));
  return close;
}

absl::Status TakeAt(UploadStore::Incoming& upload, std::int64_t offset, const std::string& data) {
  v1::Chunk chunk;
  chunk.set_offset(offset);
  chunk.set_data(data);
  return upload.Take(chunk);
}

// Sends [begin, end) of `bytes` in chunks.
absl::Status TakeRange(UploadStore::Incoming& upload,
                       const std::string& bytes,
                       std::int64_t begin,
                       std::int64_t end) {
  for (std::int64_t at = begin; at < end; at += kChunk) {
    const auto size = static_cast<std::size_t>(std::min(kChunk, end - at));
    RETURN_IF_ERROR(TakeAt(upload, at, bytes.substr(static_cast<std::size_t>(at), size)));
  }
  return absl::OkStatus();
}

class UploadStoreTest : public testing::Test {
 protected:
  UploadStoreTest() { header_.set_upload_id("any message will do"); }

  // Another start of the service over the same folder.
  void Restart(storage::FileSystem& files = storage::PosixFileSystem()) {
    store_.reset();
    auto store = UploadStore::Open(files, folder_.path(), clock_, limits_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  std::unique_ptr<UploadStore::Incoming> Begin(const std::string& id = kId) {
    auto upload = store_->Begin(id, header_, sender_);
    EXPECT_TRUE(upload.ok()) << upload.status();
    return *std::move(upload);
  }

  // A call that breaks after [begin, end).
  void Send(std::int64_t begin, std::int64_t end, const std::string& id = kId) {
    const absl::Status taken = TakeRange(*Begin(id), bytes_, begin, end);
    ASSERT_TRUE(taken.ok()) << taken;
  }

  std::int64_t Received(const std::string& id = kId) {
    const auto upload = store_->Find(id);
    EXPECT_TRUE(upload.ok()) << upload.status();
    return upload.ok() ? upload->received_bytes() : -1;
  }

  // Goes on to the end, and expects the whole.
  void Complete() {
    const auto found = store_->Find(kId);
    const std::int64_t from = found.ok() ? found->received_bytes() : 0;
    const auto upload = Begin();
    const absl::Status taken =
        TakeRange(*upload, bytes_, from, static_cast<std::int64_t>(bytes_.size()));
    ASSERT_TRUE(taken.ok()) << taken;
    ExpectWhole(*upload);
  }

  void ExpectWhole(UploadStore::Incoming& upload) {
    const auto sha256 = upload.Finish(CloseOf(bytes_));
    ASSERT_TRUE(sha256.ok()) << sha256.status();
    EXPECT_EQ(*sha256, storage::ToHex(storage::Sha256Of(bytes_)));
    const auto file = upload.OpenBytes();
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ((*file)->size(), static_cast<std::int64_t>(bytes_.size()));
    EXPECT_TRUE(*(*file)->Read(0, (*file)->size()) == bytes_);
  }

  // Time passes, and the store sees it pass.
  void Pass(seconds time) {
    while (time > seconds(0)) {
      const seconds step = std::min(time, seconds(std::chrono::minutes(30)));
      clock_.Advance(step);
      store_->Expire();
      time -= step;
    }
  }

  std::vector<v1::Upload> List(std::int32_t page_size = 0, const std::string& token = {}) {
    v1::ListUploadsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    const auto response = store_->List(request);
    EXPECT_TRUE(response.ok()) << response.status();
    next_page_ = response->next_page_token();
    return {response->uploads().begin(), response->uploads().end()};
  }

  [[nodiscard]] std::vector<std::string> Files() const {
    return *storage::PosixFileSystem().List(folder_.path());
  }

  [[nodiscard]] std::string PathOf(const std::string& end) const {
    return folder_.path() + "/" + kId + end;
  }

  storage::TemporaryFolder folder_;
  SetClock clock_;
  UploadLimits limits_{.upload_bytes_max = 20'000'000,
                       .unfinished_bytes_max = 20'000'000,
                       .unfinished_max = 3,
                       .expire = hours(2)};
  v1::GetUploadRequest header_;
  UploadSender sender_{.subject = "datasets/iris", .caller = "ann"};
  std::string next_page_;
  std::string bytes_ = Bytes(10'500);
  std::unique_ptr<UploadStore> store_ =
      *UploadStore::Open(storage::PosixFileSystem(), folder_.path(), clock_, limits_);
};

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

TEST_F(UploadStoreTest, AnIdIsBoundToItsHeader) {
  Send(0, 1'000);
  Restart();
  v1::GetUploadRequest other;
  other.set_upload_id("another message");
  EXPECT_THAT(store_->Begin(kId, other, sender_), Fails(kInvalid, "an upload with another header"));
  Complete();
}

TEST_F(UploadStoreTest, AnIdHas16To64CharactersThatAreNoPath) {
  const auto begin = [this](const std::string& id) {
    return store_->Begin(id, header_, sender_).status();
  };
  EXPECT_THAT(begin(std::string(15, 'a')), Fails(kInvalid, "16 to 64 characters"));
  EXPECT_TRUE(begin(std::string(16, 'Z')).ok());
  EXPECT_TRUE(begin(std::string(64, '9')).ok());
  EXPECT_THAT(begin(std::string(65, 'a')), Fails(kInvalid, "found 65"));
  for (const std::string& id : {std::string("../../../../../etc"),
                                std::string("aaaaaaaaaaaaaaa\0b", 17),
                                std::string("aaaaaaaaaaaaaaa."),
                                std::string("aaaaaaaaaaaaaa\xc3\xa4")}) {
    EXPECT_THAT(begin(id), Fails(kInvalid, "[A-Za-z0-9_-]"));
    EXPECT_THAT(store_->Find(id), Fails(kInvalid, "[A-Za-z0-9_-]"));
  }
  EXPECT_THAT(store_->Find(""), Fails(kInvalid, "found 0"));
  EXPECT_THAT(store_->Find(std::string(16, 'q')), Fails(absl::StatusCode::kNotFound, "go on"));
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

TEST_F(UploadStoreTest, AnUploadExpiresAfterItsLastChunkToTheSecond) {
  Send(0, 1'000);
  Pass(hours(1));
  Send(1'000, 2'000);
  Pass(hours(2) - seconds(1));
  EXPECT_EQ(Received(), 2'000);
  EXPECT_EQ(store_->Find(kId)->expire_time().seconds(), 1'700'000'000 + 3 * 3'600);

  clock_.Advance(seconds(1));
  EXPECT_THAT(store_->Find(kId), Fails(absl::StatusCode::kNotFound, "go on"));
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(UploadStoreTest, AfterAStartHalfOfItsTimeIsLeftHoweverLongTheServiceWasDown) {
  Send(0, 1'000);
  clock_.Advance(hours(50));
  Restart();
  Pass(hours(1) - seconds(1));
  EXPECT_EQ(Received(), 1'000);
  Pass(seconds(1));
  EXPECT_THAT(store_->Find(kId), Fails(absl::StatusCode::kNotFound, "go on"));
}

TEST_F(UploadStoreTest, AClockThatJumpsMakesNothingOlderByMoreThanHalfAnHour) {
  Send(0, 1'000);
  clock_.Advance(hours(1'000));
  EXPECT_EQ(Received(), 1'000);
  Pass(hours(1));
  EXPECT_EQ(Received(), 1'000);
  Pass(seconds(30 * 60));
  EXPECT_THAT(store_->Find(kId), Fails(absl::StatusCode::kNotFound, "go on"));
}

TEST_F(UploadStoreTest, AClockThatIsSetBackKeepsNothingForLonger) {
  Send(0, 1'000);
  clock_.Advance(-hours(1'000));
  Restart();
  Pass(hours(2));
  EXPECT_THAT(store_->Find(kId), Fails(absl::StatusCode::kNotFound, "go on"));
}

TEST_F(UploadStoreTest, ACallWhoseUploadExpiredIsToldAndBeginsAnew) {
  const auto upload = Begin();
  ASSERT_TRUE(TakeRange(*upload, bytes_, 0, 2'000).ok());
  Pass(hours(2));
  EXPECT_THAT(TakeAt(*upload, 2'000, "x"), Fails(kAborted, "or it has expired"));
  Complete();
}

TEST_F(UploadStoreTest, TheNumberOfUnfinishedUploadsIsBounded) {
  const auto id = [](int i) { return "0123456789abcde" + std::to_string(i); };
  Send(0, 1'000, id(1));
  Send(0, 1'000, id(2));
  Restart();
  Send(0, 1'000, id(3));
  EXPECT_THAT(store_->Begin(id(4), header_, sender_),
              Fails(kExhausted, "3 uploads are unfinished"));
  Send(1'000, 2'000, id(3));  // one of them may go on
  EXPECT_THAT(store_->Begin("", header_, sender_), Fails(kExhausted, "3 uploads are unfinished"));
  EXPECT_EQ(RetryAfter(store_->Begin(id(4), header_, sender_).status()), seconds(60));
  Pass(hours(2));
  const auto unnamed = store_->Begin("", header_, sender_);
  ASSERT_TRUE(unnamed.ok()) << unnamed.status();
  Send(0, 1'000, id(4));
  Send(0, 1'000, id(5));
  EXPECT_THAT(store_->Begin(id(6), header_, sender_), Fails(kExhausted, "3 uploads are"))
      << "an unnamed one counts while it lives";
}

TEST_F(UploadStoreTest, AnIdleUploadMakesRoomTheOldestOfTheSameCallerFirst) {
  const auto id = [](int i) { return "0123456789abcde" + std::to_string(i); };
  sender_.caller = "bob";
  Send(0, 1'000, id(1));
  Pass(seconds(60));
  sender_.caller = "ann";
  Send(0, 1'000, id(2));
  Pass(seconds(60));
  Send(0, 1'000, id(3));
  Restart();  // who sent it is known afterwards, too
  EXPECT_THAT(store_->Begin(id(4), header_, sender_), Fails(kExhausted, "unfinished already"));

  Pass(limits_.idle);
  const auto open = Begin(id(2));  // whoever sends it needs it
  Send(0, 1'000, id(4));
  EXPECT_THAT(store_->Find(id(3)), Fails(absl::StatusCode::kNotFound, "go on")) << "ann's own";
  EXPECT_TRUE(store_->Find(id(1)).ok()) << "bob's is older";
  Send(0, 1'000, id(5));
  EXPECT_THAT(store_->Find(id(1)), Fails(absl::StatusCode::kNotFound, "go on"));
  EXPECT_THAT(store_->Begin(id(6), header_, sender_), Fails(kExhausted, "unfinished already"));
  EXPECT_TRUE(store_->Find(id(2)).ok()) << "a stream is open";
}

TEST_F(UploadStoreTest, ListsNameUploadsWithoutTellingHowToGoOn) {
  EXPECT_THAT(List(), IsEmpty());
  Send(0, 1'000);
  const auto other = Begin("another-upload-0123");

  const auto all = List();
  ASSERT_EQ(all.size(), 2U);
  for (const v1::Upload& upload : all) {
    EXPECT_EQ(upload.upload_id(), "");
    EXPECT_EQ(upload.subject(), "datasets/iris");
  }
  const std::string name = store_->Find(kId)->name();
  EXPECT_EQ(name, "uploads/" + storage::ToHex(storage::Sha256Of(kId)).substr(0, 16));
  const auto& own = all[0].name() == name ? all[0] : all[1];
  EXPECT_EQ(own.received_bytes(), 1'000);
  EXPECT_FALSE(own.open());
  EXPECT_TRUE((all[0].name() == name ? all[1] : all[0]).open());

  const auto first = List(1);
  const auto second = List(1, next_page_);
  EXPECT_EQ(first[0].name(), all[0].name());
  EXPECT_EQ(second[0].name(), all[1].name());
  EXPECT_EQ(next_page_, "");
  v1::ListUploadsRequest wrong;
  wrong.set_page_token("x");
  EXPECT_THAT(store_->List(wrong), Fails(kInvalid, "page_token"));
}

TEST_F(UploadStoreTest, WhoKnowsTheNameRemovesAnUploadAndItsStreamIsTold) {
  const auto upload = Begin();
  ASSERT_TRUE(TakeRange(*upload, bytes_, 0, 2'000).ok());
  const std::string name = store_->Find(kId)->name();

  const auto deleted = store_->Delete(name);

  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_THAT(TakeAt(*upload, 2'000, "x"), Fails(kAborted, "another call goes on"));
  EXPECT_THAT(store_->Delete(name), Fails(absl::StatusCode::kNotFound, "there is no upload"));
  EXPECT_THAT(store_->Delete(kId), Fails(kInvalid, "16 hexadecimal digits"));
  Complete();
  const auto whole = Begin("another-upload-0123");
  ASSERT_TRUE(TakeRange(*whole, bytes_, 0, 10'500).ok());
  ASSERT_TRUE(whole->Finish(CloseOf(bytes_)).ok());
  EXPECT_THAT(store_->Delete(store_->Find("another-upload-0123")->name()),
              Fails(absl::StatusCode::kFailedPrecondition, "being worked on"));
}

TEST_F(UploadStoreTest, TheBytesOfUnfinishedUploadsAreBoundedToTheByte) {
  limits_.unfinished_bytes_max = 10'000;
  Restart();
  const std::string other = "abcdefghijklmnop";
  Send(0, 6'000, other);
  Restart();
  Send(0, 3'999);
  {
    const auto upload = Begin();
    EXPECT_THAT(TakeAt(*upload, 3'999, "xy"), Fails(kExhausted, "10000 bytes together"));
    EXPECT_TRUE(TakeAt(*upload, 3'999, "x").ok());
    EXPECT_THAT(TakeAt(*upload, 4'000, "x"), Fails(kExhausted, "10000 bytes together"));
  }
  Send(0, 1'000);  // gives 3,000 back
  Send(6'000, 9'000, other);
  EXPECT_THAT(TakeAt(*Begin(), 1'000, "x"), Fails(kExhausted, "10000 bytes together"));
  Pass(limits_.idle);
  Send(0, 10'000);  // the idle one makes room
  EXPECT_THAT(store_->Find(other), Fails(absl::StatusCode::kNotFound, "go on"));
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

// Copies the folder as it is in the middle of a call: what a process leaves that is killed there.
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

// Every operation of a disk fails once, at each place: what the store says it has, it has.
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
