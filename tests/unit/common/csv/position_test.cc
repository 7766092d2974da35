#include "common/csv/position.h"

#include <gtest/gtest.h>

namespace millrace::csv {
namespace {

TEST(PositionTest, CountsCharactersAndNotBytes) {
  const Position position = PositionAfter(7, "ä€𝄞x");

  EXPECT_EQ(position.line, 7);
  EXPECT_EQ(position.column, 5);
}

TEST(PositionTest, BeginsAgainAfterALineFeed) {
  const Position position = PositionAfter(7, "one\ntwo\r\nab");

  EXPECT_EQ(position.line, 9);
  EXPECT_EQ(position.column, 3);
}

TEST(PositionTest, IsWrittenAsEditorsReadIt) {
  EXPECT_EQ(Where("iris.csv", {.line = 7, .column = 12}), "iris.csv:7:12");
}

}  // namespace
}  // namespace millrace::csv
