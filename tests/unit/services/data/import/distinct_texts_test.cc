#include "services/data/import/distinct_texts.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/storage/file_system.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::data {
namespace {

using testing::ElementsAre;

features::Texts Texts(int first, int last) {
  features::Texts texts;
  for (int i = first; i < last; ++i) {
    texts.push_back(fmt::format("t{}", i));
  }
  return texts;
}

class DistinctTextsTest : public testing::Test {
 protected:
  storage::TemporaryFolder folder_;
  storage::Scratch scratch_{.files = storage::PosixFileSystem(), .folder = folder_.path()};
};

TEST_F(DistinctTextsTest, CountsEachColumnByItself) {
  DistinctTexts texts(3, scratch_);
  ASSERT_TRUE(texts.Add(0, Texts(0, 5)).ok());
  ASSERT_TRUE(texts.Add(2, Texts(3, 9)).ok());
  ASSERT_TRUE(texts.Add(0, Texts(3, 7)).ok());

  EXPECT_THAT(*texts.Count(), ElementsAre(7, 0, 6));
}

// Goal: many are counted exactly too. Method: more than memory keeps of a column, many of them
// twice, beside a column of few.
TEST_F(DistinctTextsTest, CountsManyOnDisk) {
  DistinctTexts texts(2, scratch_);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(texts.Add(0, Texts(i * 50'000, i * 50'000 + 60'000)).ok());
    ASSERT_TRUE(texts.Add(1, Texts(0, 10)).ok());
  }
  EXPECT_THAT(*texts.Count(), ElementsAre(1'010'000, 10));
}

}  // namespace
}  // namespace millrace::data
