#include "services/data/store/splits_codec.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace::data {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SplitsCodecTest, ReadsBackWhatWasWritten) {
  const auto splits =
      DecodeSplits(EncodeSplits({.train = {0, 3, 4}, .validation = {1}, .test = {2, 5}}));
  ASSERT_TRUE(splits.ok()) << splits.status();
  EXPECT_THAT(splits->train, ElementsAre(0, 3, 4));
  EXPECT_THAT(splits->validation, ElementsAre(1));
  EXPECT_THAT(splits->test, ElementsAre(2, 5));

  const auto none = DecodeSplits(EncodeSplits({}));
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(none->train, IsEmpty());
}

TEST(SplitsCodecTest, TheBytesAreTheDocumentedOnes) {
  EXPECT_EQ(EncodeSplits({.train = {1}, .validation = {}, .test = {0}}),
            std::string("MRSPLITS\x01\0\0\0\x02\0\0\0\0\0\0\0\x03\x01", 22));
}

TEST(SplitsCodecTest, DamageIsDataLoss) {
  const std::string bytes = EncodeSplits({.train = {0}, .validation = {1}, .test = {2}});
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

TEST(SplitsCodecDeathTest, ARowInTwoSplitsIsABrokenPromise) {
  EXPECT_DEATH(EncodeSplits({.train = {0}, .validation = {0}, .test = {}}), "broken promise");
  EXPECT_DEATH(EncodeSplits({.train = {1}, .validation = {}, .test = {}}), "broken promise");
}

}  // namespace
}  // namespace millrace::data
