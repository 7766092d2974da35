#include "services/data/store/splits_codec.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/schema/v1/schema.pb.h"

#include "common/status/status.h"

namespace millrace::data {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint8_t kTrain = schema::v1::SPLIT_TRAIN;
constexpr std::uint8_t kValidation = schema::v1::SPLIT_VALIDATION;
constexpr std::uint8_t kTest = schema::v1::SPLIT_TEST;

TEST(SplitsCodecTest, ReadsBackWhatWasWritten) {
  const auto splits =
      DecodeSplits(EncodeSplits({kTrain, kValidation, kTest, kTrain, kTrain, kTest}));
  ASSERT_TRUE(splits.ok()) << splits.status();
  EXPECT_THAT(*splits, ElementsAre(kTrain, kValidation, kTest, kTrain, kTrain, kTest));

  const auto none = DecodeSplits(EncodeSplits({}));
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(*none, IsEmpty());
}

TEST(SplitsCodecTest, TheBytesAreTheDocumentedOnes) {
  EXPECT_EQ(EncodeSplits({kTest, kTrain}),
            std::string("MRSPLITS\x01\0\0\0\x02\0\0\0\0\0\0\0\x03\x01", 22));
}

TEST(SplitsCodecTest, DamageIsDataLoss) {
  const std::string bytes = EncodeSplits({kTrain, kValidation, kTest});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const absl::Status status = DecodeSplits(bytes.substr(0, size)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << size;
    EXPECT_THAT(std::string(Message(status)), testing::HasSubstr("stored splits"));
  }
  EXPECT_EQ(DecodeSplits(bytes + "\x01").status().code(), absl::StatusCode::kDataLoss);
  std::string unknown = bytes;
  unknown.back() = '\x04';
  EXPECT_EQ(DecodeSplits(unknown).status().code(), absl::StatusCode::kDataLoss);
}

TEST(SplitsCodecTest, RowsThatAreDroppedAreNotWritten) {
  EXPECT_EQ(EncodeSplits({features::kDropped, kTest, features::kDropped, kTrain}),
            EncodeSplits({kTest, kTrain}));
}

TEST(SplitsCodecDeathTest, AMarkThatIsNoSplitIsABrokenPromise) {
  EXPECT_DEATH(EncodeSplits({kTrain, 4}), "broken promise");
}

}  // namespace
}  // namespace millrace::data
