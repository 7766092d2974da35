#include "common/features/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::features {
namespace {

using testing::ElementsAre;

TEST(ColumnCellsTest, GivesMissingNumbersAndTexts) {
  const ColumnCells numbers{.numbers = {0, 2.5}, .codes = {}, .dictionary = {}, .valid = {0, 1}};
  const ColumnCells texts{
      .numbers = {}, .codes = {1, 0}, .dictionary = {"a", "b"}, .valid = {1, 0}};

  EXPECT_EQ(numbers.At(0).kind, Cell::Kind::kMissing);
  EXPECT_EQ(numbers.At(1).number, 2.5);
  EXPECT_EQ(texts.At(0).text, "b");
  EXPECT_EQ(texts.At(1).kind, Cell::Kind::kMissing);
}

}  // namespace
}  // namespace millrace::features
