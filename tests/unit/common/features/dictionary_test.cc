#include "common/features/dictionary.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::features {
namespace {

TEST(DictionaryTest, NumbersTextsInOrderOfFirstAppearance) {
  Dictionary dictionary;

  EXPECT_EQ(dictionary.Code("b"), 0);
  EXPECT_EQ(dictionary.Code("a"), 1);
  EXPECT_EQ(dictionary.Code(""), 2);
  EXPECT_EQ(dictionary.Code("b"), 0);
  EXPECT_THAT(dictionary.texts(), testing::ElementsAre("b", "a", ""));
}

TEST(DictionaryTest, KeepsItsNumbersWhileItGrows) {
  Dictionary dictionary;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 100'000; ++i) {
      ASSERT_EQ(dictionary.Code("text " + std::to_string(i)), i);
    }
  }
  EXPECT_EQ(dictionary.texts().size(), 100'000U);
}

TEST(DictionaryTest, BeginsAgainAfterARelease) {
  Dictionary dictionary;
  dictionary.Code("a");

  EXPECT_THAT(dictionary.Release(), testing::ElementsAre("a"));
  EXPECT_EQ(dictionary.Code("b"), 0);
}

}  // namespace
}  // namespace millrace::features
