#include "services/data/import/column_builder.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::data {
namespace {

using testing::ElementsAre;
using Kind = ColumnBuilder::Kind;
using Added = ColumnBuilder::Added;

class ColumnBuilderTest : public testing::Test {
 protected:
  ColumnBuilder Built(const std::vector<std::string>& cells) {
    ColumnBuilder column(missing_);
    for (const std::string& cell : cells) {
      column.Add(cell);
    }
    return column;
  }

  features::MissingSpellings missing_{features::DefaultMissingSpellings()};
};

TEST_F(ColumnBuilderTest, TheFirstValueDecidesWhereTheColumnBegins) {
  EXPECT_EQ(Built({"", "NA"}).kind(), Kind::kUndecided);
  EXPECT_EQ(Built({"", "1", "2.5"}).kind(), Kind::kNumbers);
  EXPECT_EQ(Built({"2024-01-01", ""}).kind(), Kind::kTimestamps);
  EXPECT_EQ(Built({"x", "1"}).kind(), Kind::kTexts);
}

TEST_F(ColumnBuilderTest, AValueOfAnotherKindLoosensNumbersAndTimes) {
  EXPECT_EQ(Built({"1", "x"}).kind(), Kind::kLoosened);
  EXPECT_EQ(Built({"2024-01-01", "7"}).kind(), Kind::kLoosened);
  EXPECT_EQ(Built({"1", "x", "2", ""}).kind(), Kind::kLoosened);
}

TEST_F(ColumnBuilderTest, KeepsNumbersAndMissingCellsInTheirRows) {
  const features::ColumnCells cells = Built({"", " 1.5", "NA", "-2"}).Release();

  EXPECT_THAT(cells.numbers, ElementsAre(0, 1.5, 0, -2));
  EXPECT_THAT(cells.valid, ElementsAre(0, 1, 0, 1));
  EXPECT_TRUE(cells.codes.empty());
}

TEST_F(ColumnBuilderTest, KeepsTextsTrimmed) {
  const features::ColumnCells cells = Built({"", " b ", "a", "b"}).Release();

  EXPECT_THAT(cells.codes, ElementsAre(0, 0, 1, 0));
  EXPECT_THAT(cells.valid, ElementsAre(0, 1, 1, 1));
  EXPECT_THAT(cells.dictionary, ElementsAre("b", "a"));
  EXPECT_TRUE(cells.numbers.empty());
}

TEST_F(ColumnBuilderTest, AnEmptyColumnIsOneOfTexts) {
  const features::ColumnCells cells = Built({"", "?"}).Release();

  EXPECT_THAT(cells.codes, ElementsAre(0, 0));
  EXPECT_THAT(cells.valid, ElementsAre(0, 0));
}

TEST_F(ColumnBuilderTest, IntegersAreWrittenAsIntegersAndExact) {
  EXPECT_TRUE(Built({"1", "-2", "+3", "9007199254740992"}).are_integers());
  EXPECT_FALSE(Built({"1", "2.0"}).are_integers());
  EXPECT_FALSE(Built({"1e3"}).are_integers());
  EXPECT_FALSE(Built({"9007199254740994"}).are_integers());
}

TEST_F(ColumnBuilderTest, TellsNumbersThatAreNotFinite) {
  ColumnBuilder column(missing_);

  EXPECT_EQ(column.Add("1"), Added::kYes);
  EXPECT_EQ(column.Add("inf"), Added::kNotFinite);
  EXPECT_EQ(column.Add("1e999"), Added::kNotFinite);
  EXPECT_EQ(column.kind(), Kind::kNumbers);
}

TEST_F(ColumnBuilderTest, AGivenTypeRefusesWhatDoesNotFit) {
  schema::v1::Column expected;
  expected.set_name("age");
  expected.set_type(schema::v1::COLUMN_TYPE_INTEGER);
  ColumnBuilder column(missing_);
  column.Expect(expected);

  EXPECT_EQ(column.Add(""), Added::kYes);
  EXPECT_EQ(column.Add("7"), Added::kYes);
  EXPECT_EQ(column.Add("7.5"), Added::kMismatch);
  EXPECT_EQ(column.Add("x"), Added::kMismatch);
  EXPECT_EQ(column.Add("-inf"), Added::kNotFinite);
  EXPECT_THAT(column.cells().numbers, ElementsAre(0, 7));
}

TEST_F(ColumnBuilderTest, ExpectedTextsStayTexts) {
  ColumnBuilder column(missing_);
  column.ExpectTexts();
  column.Add("");
  column.Add("007");

  EXPECT_THAT(column.Release().dictionary, ElementsAre("007"));
}

TEST_F(ColumnBuilderTest, KnowsWhetherIntegersAreWrittenAsTheirShortestTexts) {
  EXPECT_TRUE(Built({"1", "-2", "0", "123456789012345"}).Facts().are_canonical);
  for (const char* other : {"+3", "007", "-0", "00", "1.0", "9007199254740992"}) {
    EXPECT_FALSE(Built({"1", other}).Facts().are_canonical) << other;
  }
}

TEST_F(ColumnBuilderTest, FactsOfTheWholeAreThoseOfItsParts) {
  ColumnFacts facts = Built({"", "3", "-1"}).Facts();
  facts.Merge(Built({"NA"}).Facts());
  facts.Merge(Built({"5", "2"}).Facts());

  EXPECT_EQ(facts.kind, CellKind::kNumbers);
  EXPECT_EQ(facts.value_count, 4);
  EXPECT_EQ(facts.minimum, -1);
  EXPECT_EQ(facts.maximum, 5);
  EXPECT_TRUE(facts.are_integers);

  facts.Merge(Built({"0.5"}).Facts());
  EXPECT_FALSE(facts.are_integers);

  facts.Merge(Built({"x"}).Facts());
  EXPECT_EQ(facts.kind, CellKind::kLoosened) << "numbers, then a text";
}

TEST_F(ColumnBuilderTest, FactsKeepTheFirstDifferentTexts) {
  ColumnFacts facts = Built({"b", "a", "b"}).Facts();
  facts.Merge(Built({"c", "a"}).Facts());
  EXPECT_THAT(facts.first_texts, ElementsAre("b", "a", "c"));

  std::vector<std::string> many;
  for (int i = 0; i < 40; ++i) {
    many.push_back(fmt::format("t{}", i));
  }
  facts.Merge(Built(many).Facts());
  EXPECT_EQ(facts.first_texts.size(), ColumnFacts::kFirstTextsMax);
  EXPECT_EQ(facts.first_texts[3], "t0");
}

}  // namespace
}  // namespace millrace::data
