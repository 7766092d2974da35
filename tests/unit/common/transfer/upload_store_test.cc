#include "common/transfer/upload_store.h"

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
#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/common/transfer/upload_store_fixture.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::transfer {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::IsEmpty;
using training::Fails;

TEST(UploadNameTest, IsTheBeginningOfTheDigest) {
  // printf %s 0123456789abcdef0123456789abcdef | sha256sum
  EXPECT_EQ(UploadName("0123456789abcdef0123456789abcdef"), "uploads/3eb1bd439947eb76");
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

}  // namespace
}  // namespace millrace::transfer
