#include "services/data/import/inference.h"

#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::data {
namespace {

using testing::ElementsAre;

// What all values together tell.
Different DifferentIn(const ColumnBuilder& column) {
  std::set<double> numbers;
  std::int64_t values = 0;
  const features::ColumnCells& cells = column.cells();
  for (std::size_t i = 0; i < cells.numbers.size(); ++i) {
    if (cells.valid[i] != 0) {
      ++values;
      numbers.insert(cells.numbers[i]);
    }
  }
  return {.texts = static_cast<std::int64_t>(column.texts().size()),
          .all_numbers_differ = static_cast<std::int64_t>(numbers.size()) == values};
}

class InferenceTest : public testing::Test {
 protected:
  ColumnBuilder Built(const std::vector<std::string>& cells) {
    ColumnBuilder column(missing_);
    for (const std::string& cell : cells) {
      column.Add(cell);
    }
    return column;
  }

  TypeDecision Inferred(const std::vector<std::string>& cells,
                        const std::string& name = "c",
                        bool is_label = false) {
    return InferType(Built(cells).Facts(), DifferentIn(Built(cells)), name, is_label);
  }

  features::MissingSpellings missing_{features::DefaultMissingSpellings()};
};

// `count` texts, of which `different` are different.
std::vector<std::string> Texts(int count, int different) {
  std::vector<std::string> texts;
  texts.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    texts.push_back(fmt::format("t{}", i % different));
  }
  return texts;
}

std::vector<std::string> Numbers(int count, int first, int step) {
  std::vector<std::string> numbers;
  numbers.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    numbers.push_back(std::to_string(first + step * ((i * 7) % count)));  // shuffled
  }
  return numbers;
}

TEST_F(InferenceTest, TellsNumbersTimesAndTextsApart) {
  EXPECT_EQ(Inferred({"1", "5", "", "5"}).type, schema::v1::COLUMN_TYPE_INTEGER);
  EXPECT_EQ(Inferred({"1", "5.5"}).type, schema::v1::COLUMN_TYPE_REAL);
  EXPECT_EQ(Inferred({"2024-01-01", "2024-01-01T10:00"}).type, schema::v1::COLUMN_TYPE_TIMESTAMP);
  EXPECT_EQ(Inferred({"red", "blue"}).type, schema::v1::COLUMN_TYPE_CATEGORY);
  EXPECT_EQ(Inferred({"", "NA"}).type, schema::v1::COLUMN_TYPE_TEXT);
}

TEST_F(InferenceTest, EveryDecisionHasItsReason) {
  EXPECT_EQ(Inferred({"1", "5", ""}).reason, "all 2 values are whole numbers");
  EXPECT_EQ(Inferred({"1.5"}).reason, "all 1 values are numbers");
  EXPECT_EQ(Inferred({"2024-01-01"}).reason, "all 1 values are ISO 8601 times");
  EXPECT_EQ(Inferred({"red", "blue", "red"}).reason, "2 different texts in 3 values");
  EXPECT_EQ(Inferred({"yes", "No"}).reason, "all values are 'yes' or 'No'");
  EXPECT_EQ(Inferred({""}).reason, "no row has a value");
  EXPECT_EQ(Inferred(Numbers(12, 100, 1)).reason,
            "12 different whole numbers that follow one another");
  EXPECT_EQ(Inferred(Texts(12, 12)).reason, "all 12 texts are different");
}

TEST_F(InferenceTest, BooleansAreTheUsualPairsInAnyCase) {
  const TypeDecision decision = Inferred({"FALSE", "True", "false", "true", ""});
  EXPECT_EQ(decision.type, schema::v1::COLUMN_TYPE_BOOLEAN);
  EXPECT_EQ(decision.true_spelling, "True");
  EXPECT_EQ(decision.false_spelling, "FALSE");

  EXPECT_EQ(Inferred({"n", "y"}).type, schema::v1::COLUMN_TYPE_BOOLEAN);
  EXPECT_EQ(Inferred({"on", "off"}).type, schema::v1::COLUMN_TYPE_BOOLEAN);
  EXPECT_EQ(Inferred({"yes", "false"}).type, schema::v1::COLUMN_TYPE_CATEGORY);
  EXPECT_EQ(Inferred({"yes", "no", "perhaps"}).type, schema::v1::COLUMN_TYPE_CATEGORY);
  EXPECT_EQ(Inferred({"yes", "yes"}).type, schema::v1::COLUMN_TYPE_CATEGORY);
  EXPECT_EQ(Inferred({"1", "0"}).type, schema::v1::COLUMN_TYPE_INTEGER);
}

TEST_F(InferenceTest, WholeNumbersWithoutAGapAreAnIdentifierFromTenOn) {
  EXPECT_EQ(Inferred(Numbers(9, 1, 1)).type, schema::v1::COLUMN_TYPE_INTEGER);
  EXPECT_EQ(Inferred(Numbers(10, 1, 1)).type, schema::v1::COLUMN_TYPE_IDENTIFIER);
  EXPECT_EQ(Inferred(Numbers(20, 1, 3)).type, schema::v1::COLUMN_TYPE_INTEGER);
  std::vector<std::string> repeated = Numbers(11, 1, 1);
  repeated[4] = repeated[5];
  EXPECT_EQ(Inferred(repeated).type, schema::v1::COLUMN_TYPE_INTEGER);
}

TEST_F(InferenceTest, DifferentWholeNumbersUnderTheNameOfAnIdentifierAreOne) {
  for (const char* name : {"id", "ID", "patient_id", "Patient ID", "patientId"}) {
    EXPECT_EQ(Inferred(Numbers(20, 1, 3), name).type, schema::v1::COLUMN_TYPE_IDENTIFIER) << name;
  }
  for (const char* name : {"paid", "acid", "width", "i"}) {
    EXPECT_EQ(Inferred(Numbers(20, 1, 3), name).type, schema::v1::COLUMN_TYPE_INTEGER) << name;
  }
}

TEST_F(InferenceTest, TextsAreCategoriesWhenFewOrRepeated) {
  EXPECT_EQ(Inferred(Texts(9, 9)).type, schema::v1::COLUMN_TYPE_CATEGORY);
  EXPECT_EQ(Inferred(Texts(10, 10)).type, schema::v1::COLUMN_TYPE_IDENTIFIER);
  EXPECT_EQ(Inferred(Texts(21, 20)).type, schema::v1::COLUMN_TYPE_CATEGORY);
  EXPECT_EQ(Inferred(Texts(41, 21)).type, schema::v1::COLUMN_TYPE_TEXT);
  EXPECT_EQ(Inferred(Texts(42, 21)).type, schema::v1::COLUMN_TYPE_CATEGORY);
  EXPECT_EQ(Inferred(Texts(2048, 1024)).type, schema::v1::COLUMN_TYPE_CATEGORY);
  EXPECT_EQ(Inferred(Texts(2050, 1025)).type, schema::v1::COLUMN_TYPE_TEXT);
}

TEST_F(InferenceTest, TheLabelIsNeverAnIdentifierOrText) {
  EXPECT_EQ(Inferred(Numbers(10, 1, 1), "id", true).type, schema::v1::COLUMN_TYPE_INTEGER);
  EXPECT_EQ(Inferred(Texts(10, 10), "id", true).type, schema::v1::COLUMN_TYPE_CATEGORY);
  EXPECT_EQ(Inferred(Texts(41, 21), "c", true).type, schema::v1::COLUMN_TYPE_CATEGORY);
  EXPECT_EQ(Inferred({""}, "c", true).type, schema::v1::COLUMN_TYPE_CATEGORY);
}

TEST_F(InferenceTest, ASaidBooleanMayBeOneAndZero) {
  ColumnBuilder column(missing_);
  column.ExpectTexts();
  for (const char* cell : {"0", "1", "", "1"}) {
    column.Add(cell);
  }
  const TypeDecision decision = InferBoolean(column.Facts());

  EXPECT_EQ(decision.type, schema::v1::COLUMN_TYPE_BOOLEAN);
  EXPECT_EQ(decision.true_spelling, "1");
  const features::ColumnCells cells = ToBooleans(column.Release(), decision.true_spelling);
  EXPECT_THAT(cells.numbers, ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(cells.valid, ElementsAre(1, 1, 0, 1));
  EXPECT_TRUE(cells.codes.empty());
  EXPECT_EQ(InferBoolean(Built({"pos", "neg"}).Facts()).type, schema::v1::COLUMN_TYPE_UNSPECIFIED);
}

}  // namespace
}  // namespace millrace::data
