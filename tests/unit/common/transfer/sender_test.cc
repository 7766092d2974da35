#include "common/transfer/sender.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "common/transfer/transfer.h"

namespace millrace::transfer {
namespace {

using testing::HasSubstr;

Source SourceOf(const std::string& bytes, std::int64_t step) {
  return [&bytes, step](std::int64_t offset, std::int64_t size) -> absl::StatusOr<std::string> {
    return bytes.substr(std::min(static_cast<std::size_t>(offset), bytes.size()),
                        static_cast<std::size_t>(std::min(size, step)));
  };
}

constexpr std::int64_t kAnyStep = std::int64_t{1} << 40;

// What arrives at a peer that has `received` already and ends the call after `calls` messages.
struct Peer {
  std::string received;
  int calls = 10'000;
  std::vector<v1::Close> closes = {};

  absl::Status SendFrom(Sender& sender, std::int64_t offset) {
    received.resize(static_cast<std::size_t>(offset));
    return sender.SendFrom(
        offset,
        [this](const v1::Chunk& chunk) {
          if (calls-- == 0) {
            return false;
          }
          EXPECT_EQ(chunk.offset(), static_cast<std::int64_t>(received.size()));
          EXPECT_LE(chunk.data().size(), static_cast<std::size_t>(kChunkBytesMax));
          received += chunk.data();
          return true;
        },
        [this](v1::Close close) {
          closes.push_back(std::move(close));
          return true;
        });
  }

  void ExpectWhole(const std::string& bytes) const {
    EXPECT_TRUE(received == bytes);
    ASSERT_FALSE(closes.empty());
    EXPECT_EQ(closes.back().size_bytes(), static_cast<std::int64_t>(bytes.size()));
    EXPECT_EQ(closes.back().sha256(), storage::Sha256Of(bytes));
  }
};

TEST(SenderTest, SendsAllBytesWhateverTheStepOfTheSource) {
  const std::string bytes = std::string(2'500'000, 'a') + "b";

  for (const std::int64_t step : {std::int64_t{1'000}, std::int64_t{1} << 20, kAnyStep}) {
    Sender sender(SourceOf(bytes, step));
    Peer peer;
    const absl::Status sent = peer.SendFrom(sender, 0);
    ASSERT_TRUE(sent.ok()) << sent;
    peer.ExpectWhole(bytes);
  }
}

TEST(SenderTest, SendingNothingStillCloses) {
  const std::string bytes;
  Sender sender(SourceOf(bytes, kAnyStep));
  Peer peer;

  ASSERT_TRUE(peer.SendFrom(sender, 0).ok());
  peer.ExpectWhole("");
}

TEST(SenderTest, GoesOnFromAnyOffsetWithTheDigestOfTheWhole) {
  const std::string bytes = "0123456789";

  for (const int calls : {0, 1, 3, 5}) {
    for (std::int64_t offset = 0; offset <= 10; ++offset) {
      Sender sender(SourceOf(bytes, 2));
      Peer peer{.received = {}, .calls = calls};
      ASSERT_TRUE(peer.SendFrom(sender, 0).ok());
      peer.calls = 1'000;
      peer.received = bytes;  // cut at the offset
      const absl::Status sent = peer.SendFrom(sender, offset);
      ASSERT_TRUE(sent.ok()) << sent;
      peer.ExpectWhole(bytes);
    }
  }
}

TEST(SenderTest, MayCloseMoreThanOnce) {
  const std::string bytes = "0123456789";
  Sender sender(SourceOf(bytes, kAnyStep));
  Peer peer;

  for (const std::int64_t offset : {0, 10, 3}) {
    peer.received = bytes;
    ASSERT_TRUE(peer.SendFrom(sender, offset).ok());
    peer.ExpectWhole(bytes);
  }
  EXPECT_EQ(peer.closes.size(), 3U);
}

TEST(SenderTest, APeerWithMoreThanThereIsGetsNoClose) {
  const std::string bytes = "0123456789";
  Sender sender(SourceOf(bytes, kAnyStep));
  Peer peer;

  const absl::Status sent = peer.SendFrom(sender, 11);

  EXPECT_EQ(sent.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(Message(sent)), HasSubstr("11 bytes of what has only 10"));
  EXPECT_TRUE(peer.closes.empty());
}

TEST(SenderTest, ASourceThatShrinksOrGrowsIsNoticed) {
  for (const std::string& now : {std::string("01234"), std::string("0123456789x")}) {
    std::string bytes = "0123456789";
    Sender sender(SourceOf(bytes, kAnyStep));
    Peer peer;
    ASSERT_TRUE(peer.SendFrom(sender, 0).ok());
    bytes = now;

    const absl::Status sent = peer.SendFrom(sender, 5);

    EXPECT_EQ(sent.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(Message(sent)), HasSubstr("had 10 bytes before and has"));
    EXPECT_EQ(peer.closes.size(), 1U);
  }
}

TEST(SenderTest, StopsReadingWhenThePeerHasEndedTheCall) {
  int reads = 0;
  Sender sender([&](std::int64_t, std::int64_t) -> absl::StatusOr<std::string> {
    ++reads;
    return "x";
  });
  Peer peer{.received = {}, .calls = 2};

  EXPECT_TRUE(peer.SendFrom(sender, 0).ok()) << "the call's own status tells why";
  EXPECT_EQ(reads, 3);
  EXPECT_TRUE(peer.closes.empty());
}

TEST(SenderTest, AFailingReadEndsSendingWithoutAClose) {
  Sender sender([](std::int64_t, std::int64_t) -> absl::StatusOr<std::string> {
    return Unavailable("the disk is gone");
  });
  Peer peer;

  const absl::Status sent = peer.SendFrom(sender, 0);

  EXPECT_EQ(sent.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(sent)), HasSubstr("the disk is gone"));
  EXPECT_TRUE(peer.closes.empty());
}

}  // namespace
}  // namespace millrace::transfer
