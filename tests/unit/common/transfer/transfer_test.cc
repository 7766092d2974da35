#include "common/transfer/transfer.h"

#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace::transfer {
namespace {

using testing::HasSubstr;

std::string MessageOf(const absl::Status& status) {
  return std::string(Message(status));
}

v1::Chunk ChunkOf(std::int64_t offset, std::string data) {
  v1::Chunk chunk;
  chunk.set_offset(offset);
  chunk.set_data(std::move(data));
  return chunk;
}

v1::Close CloseOf(std::int64_t size, std::string_view sha256) {
  v1::Close close;
  close.set_size_bytes(size);
  close.set_sha256(std::string(sha256));
  return close;
}

class TransferTest : public testing::Test {
 protected:
  Receiver ReceiverOf(std::int64_t size_bytes_max) {
    return {size_bytes_max, [this](std::string_view bytes) {
              received_ += bytes;
              return absl::OkStatus();
            }};
  }

  std::string received_;
};

TEST_F(TransferTest, HandsBytesOnInOrderAndGivesTheirDigest) {
  Receiver receiver = ReceiverOf(100);

  ASSERT_TRUE(receiver.Take(ChunkOf(0, "ab")).ok());
  ASSERT_TRUE(receiver.Take(ChunkOf(2, "c")).ok());
  const auto digest = receiver.Finish(CloseOf(3, storage::Sha256Of("abc")));

  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ(*digest, storage::ToHex(storage::Sha256Of("abc")));
  EXPECT_EQ(received_, "abc");
  EXPECT_EQ(receiver.size_bytes(), 3);
}

TEST_F(TransferTest, NothingAtAllIsATransferToo) {
  EXPECT_TRUE(ReceiverOf(0).Finish(CloseOf(0, storage::Sha256Of(""))).ok());
}

TEST_F(TransferTest, BytesThatWereThereBeforeCountAndAreNotHandedOn) {
  Receiver receiver = ReceiverOf(5);
  receiver.Skip("ab");
  receiver.Skip("c");

  EXPECT_EQ(receiver.Take(ChunkOf(3, "def")).code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(receiver.Take(ChunkOf(3, "de")).ok());
  EXPECT_TRUE(receiver.Finish(CloseOf(5, storage::Sha256Of("abcde"))).ok());
  EXPECT_EQ(received_, "de");
}

TEST_F(TransferTest, RefusesAnEmptyChunk) {
  const absl::Status status = ReceiverOf(100).Take(ChunkOf(0, ""));

  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(status), HasSubstr("1 to 1048576 bytes, found 0"));
}

TEST_F(TransferTest, AChunkMayHaveOneMebibyteAndNoMore) {
  Receiver receiver = ReceiverOf(std::int64_t{1} << 30);

  EXPECT_TRUE(receiver.Take(ChunkOf(0, std::string((1U << 20U) - 1, 'x'))).ok());
  EXPECT_TRUE(receiver.Take(ChunkOf((1 << 20) - 1, std::string(1U << 20U, 'x'))).ok());
  const absl::Status status =
      receiver.Take(ChunkOf(receiver.size_bytes(), std::string((1U << 20U) + 1, 'x')));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(status), HasSubstr("found 1048577"));
  EXPECT_EQ(received_.size(), (2U << 20U) - 1);
}

TEST_F(TransferTest, RefusesAChunkOutOfOrder) {
  Receiver receiver = ReceiverOf(100);
  ASSERT_TRUE(receiver.Take(ChunkOf(0, "abc")).ok());

  for (const std::int64_t offset : {std::int64_t{0},
                                    std::int64_t{2},
                                    std::int64_t{4},
                                    std::int64_t{-1},
                                    std::numeric_limits<std::int64_t>::max()}) {
    const absl::Status status = receiver.Take(ChunkOf(offset, "d"));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(MessageOf(status),
                HasSubstr("must begin at byte 3, found offset " + std::to_string(offset)));
  }
  EXPECT_EQ(received_, "abc");
}

TEST_F(TransferTest, TheLimitOnAllBytesIsExact) {
  Receiver receiver = ReceiverOf(4);

  EXPECT_TRUE(receiver.Take(ChunkOf(0, "abc")).ok());
  const absl::Status over = receiver.Take(ChunkOf(3, "de"));
  EXPECT_EQ(over.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(MessageOf(over), HasSubstr("at most 4 bytes"));
  EXPECT_TRUE(receiver.Take(ChunkOf(3, "d")).ok());
  EXPECT_EQ(received_, "abcd");
}

TEST_F(TransferTest, PassesOnWhatTheSinkSays) {
  Receiver receiver(100, [](std::string_view) { return ResourceExhausted("the disk is full"); });

  const absl::Status status = receiver.Take(ChunkOf(0, "a"));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(MessageOf(status), HasSubstr("the disk is full"));
}

TEST_F(TransferTest, ACloseThatDisagreesIsDataLoss) {
  const auto finish = [this](const v1::Close& close) {
    Receiver receiver = ReceiverOf(100);
    EXPECT_TRUE(receiver.Take(ChunkOf(0, "abc")).ok());
    return receiver.Finish(close).status();
  };

  const absl::Status size = finish(CloseOf(4, storage::Sha256Of("abc")));
  EXPECT_EQ(size.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(size), HasSubstr("4 bytes were sent, found 3"));

  for (const std::string& wrong : {storage::Sha256Of("abd"),
                                   std::string(),
                                   std::string(100'000, 'x'),
                                   storage::ToHex(storage::Sha256Of("abc"))}) {
    const absl::Status digest = finish(CloseOf(3, wrong));
    EXPECT_EQ(digest.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(MessageOf(digest), HasSubstr("found " + storage::ToHex(storage::Sha256Of("abc"))));
    EXPECT_LT(MessageOf(digest).size(), 250U);
  }
}

}  // namespace
}  // namespace millrace::transfer
