#include "common/network/philox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::network {
namespace {

// Known answers of the authors' library, Random123, file tests/kat_vectors.
TEST(PhiloxTest, GivesTheAuthorsKnownAnswers) {
  EXPECT_THAT(Philox(0, {0, 0, 0, 0}),
              testing::ElementsAre(0x6627E8D5U, 0xE169C58DU, 0xBC57AC4CU, 0x9B00DBD8U));
  EXPECT_THAT(Philox(0xFFFFFFFFFFFFFFFFU, {0xFFFFFFFFU, 0xFFFFFFFFU, 0xFFFFFFFFU, 0xFFFFFFFFU}),
              testing::ElementsAre(0x408F276DU, 0x41C83B0EU, 0xA20BC7C6U, 0x6D5451FDU));
  EXPECT_THAT(Philox(0x299F31D0A4093822U, {0x243F6A88U, 0x85A308D3U, 0x13198A2EU, 0x03707344U}),
              testing::ElementsAre(0xD16CFE09U, 0x94FDCCEBU, 0x5001E420U, 0x24126EA1U));
}

TEST(PhiloxTest, EachPartOfThePlaceGivesOtherNumbers) {
  const auto first = PhiloxBlock(1, PhiloxUse::kWeights, 2, 3, 4);

  EXPECT_EQ(first, PhiloxBlock(1, PhiloxUse::kWeights, 2, 3, 4));
  EXPECT_NE(first, PhiloxBlock(2, PhiloxUse::kWeights, 2, 3, 4));
  EXPECT_NE(first, PhiloxBlock(1, PhiloxUse::kDropout, 2, 3, 4));
  EXPECT_NE(first, PhiloxBlock(1, PhiloxUse::kWeights, 3, 3, 4));
  EXPECT_NE(first, PhiloxBlock(1, PhiloxUse::kWeights, 2, 4, 4));
  EXPECT_NE(first, PhiloxBlock(1, PhiloxUse::kWeights, 2, 3, 5));
  EXPECT_NE(first, PhiloxBlock(1, PhiloxUse::kWeights, 2, 3, 4 + (std::int64_t{1} << 32U)));
}

}  // namespace
}  // namespace millrace::network
