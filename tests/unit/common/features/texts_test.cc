#include "common/features/texts.h"

#include <cstdint>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::features {
namespace {

using testing::ElementsAre;

TEST(TextsTest, GivesWhatWasAddedInOrder) {
  Texts texts = {"b", "", std::string_view("a\0c", 3)};
  texts.push_back("b");

  EXPECT_THAT(texts, ElementsAre("b", "", std::string_view("a\0c", 3), "b"));
  EXPECT_EQ(texts.size(), 4U);
  EXPECT_EQ(texts.front(), "b");
  EXPECT_EQ(texts.bytes(), std::string_view("ba\0cb", 5));
}

TEST(TextsTest, AreEqualWhereEachTextIs) {
  const Texts texts = {"ab", "c"};

  EXPECT_EQ(texts, (Texts{"ab", "c"}));
  EXPECT_NE(texts, (Texts{"a", "bc"})) << "the same bytes";
}

TEST(TextsTest, AreMadeOfSizesAndBytes) {
  EXPECT_EQ(Texts::Split("abc", std::vector<std::uint32_t>{2, 0, 1}), (Texts{"ab", "", "c"}));
  EXPECT_TRUE(Texts::Split("", {}).empty());
}

TEST(TextsTest, BeginAnewWhenCleared) {
  Texts texts = {"ab", "c"};
  texts.clear();

  EXPECT_TRUE(texts.empty());
  texts.push_back("d");
  EXPECT_THAT(texts, ElementsAre("d"));
}

}  // namespace
}  // namespace millrace::features
