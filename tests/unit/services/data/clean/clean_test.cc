#include "services/data/clean/clean.h"

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/features/table_groups.h"
#include "tests/unit/services/data/tables.h"

namespace millrace::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const double kMissing = std::nan("");

// The rows that stayed, put together.
struct CleanedTable {
  features::Table table;
  std::vector<v1::CleaningEffect> effects;
  std::vector<std::string> over_limit;
};

// Line 2 is the first row's, as below a header.
absl::StatusOr<CleanedTable> Cleaned(const features::Table& table,
                                     v1::ImportOptions options = {},
                                     std::int64_t categories_max = features::kCategoriesMax) {
  const storage::TemporaryFolder folder;
  const features::TableGroups groups(table);
  const auto ranked = features::Ranked(groups, {1, 2}, folder);
  EXPECT_TRUE(ranked.ok()) << ranked.status();
  for (const auto& column : table.schema.columns()) {
    if (column.role() == schema::v1::COLUMN_ROLE_LABEL) {
      options.set_label(column.name());
    }
  }
  const RawRows raw{
      .rows = groups,
      .ranked = *ranked,
      .line_of = [](std::int64_t row) -> absl::StatusOr<std::int64_t> { return row + 2; },
      .file_name = "t.csv",
      .threads = 2,
      .categories_max = categories_max,
      .stop = {}};
  auto cleaned = Clean(raw, options);
  if (!cleaned.ok()) {
    return cleaned.status();
  }
  return CleanedTable{.table = features::Gathered(groups, cleaned->schema, cleaned->marks),
                      .effects = cleaned->effects,
                      .over_limit = cleaned->over_limit};
}

// What cleaning set aside or did, as "rule column count".
std::vector<std::string> Effects(const CleanedTable& cleaned) {
  std::vector<std::string> effects;
  for (const auto& effect : cleaned.effects) {
    effects.push_back(effect.rule() + " " + effect.column() + " " + std::to_string(effect.count()));
  }
  return effects;
}

TEST(CleanTest, LeavesACleanTableAlone) {
  features::Table table;
  AddNumbers(table, "x", {1, 2, 3});
  AddTexts(table, "y", {"a", "b", "a"});
  MakeLabel(table);
  const auto cleaned = Cleaned(table);

  ASSERT_TRUE(cleaned.ok()) << cleaned.status();
  EXPECT_TRUE(cleaned->effects.empty());
  EXPECT_EQ(cleaned->table.row_count(), 3);
  EXPECT_EQ(cleaned->table.schema.task(), schema::v1::TASK_BINARY);
  EXPECT_EQ(cleaned->table.schema.columns(0).role(), schema::v1::COLUMN_ROLE_FEATURE);
}

TEST(CleanTest, DropsRowsWithoutALabel) {
  features::Table table;
  AddNumbers(table, "x", {1, 2, 3, 4, 5, 6, 7});
  AddTexts(table, "y", {"a", "", "b", "", "", "", "a"});
  MakeLabel(table);
  const auto cleaned = Cleaned(table);

  ASSERT_TRUE(cleaned.ok()) << cleaned.status();
  EXPECT_THAT(Effects(*cleaned), ElementsAre("missing_label y 4"));
  EXPECT_THAT(cleaned->effects[0].explanation(), HasSubstr("(lines 3, 5, 6 and 1 more)"));
  EXPECT_THAT(cleaned->table.columns[0].numbers, ElementsAre(1, 3, 7));
}

TEST(CleanTest, DropsRowsThatRepeatAnEarlierOneUnlessTheyAreToBeKept) {
  features::Table table;
  AddNumbers(table, "x", {1, 2, 1});
  AddTexts(table, "y", {"a", "b", "a"});
  MakeLabel(table);
  const auto cleaned = Cleaned(table);
  ASSERT_TRUE(cleaned.ok()) << cleaned.status();
  EXPECT_THAT(Effects(*cleaned), ElementsAre("duplicate_rows  1"));
  EXPECT_THAT(cleaned->effects[0].explanation(), HasSubstr("(line 4)"));
  EXPECT_THAT(cleaned->effects[0].explanation(), HasSubstr("import with duplicates kept"));
  EXPECT_EQ(cleaned->table.row_count(), 2);

  v1::ImportOptions options;
  options.set_keep_duplicates(true);
  const auto kept = Cleaned(table, options);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_TRUE(kept->effects.empty());
  EXPECT_EQ(kept->table.row_count(), 3);
}

TEST(CleanTest, FindsRowsThatEqualAnEarlierOneInEveryColumn) {
  features::Table table;
  AddNumbers(table, "x", {1, 2, 1, 1, kMissing, 0, 1});
  AddTexts(table, "y", {"b", "a", "b", "a", "b", "b", "b"});
  const auto cleaned = Cleaned(table);

  ASSERT_TRUE(cleaned.ok()) << cleaned.status();
  EXPECT_THAT(Effects(*cleaned), ElementsAre("duplicate_rows  2"));
  EXPECT_THAT(cleaned->effects[0].explanation(), HasSubstr("(lines 4, 8)"));
  EXPECT_THAT(cleaned->table.columns[0].numbers, ElementsAre(1, 2, 1, 0, 0));
}

TEST(CleanTest, LooksForRepeatedRowsOnlyAmongThoseWithALabel) {
  features::Table table;
  AddNumbers(table, "x", {1, 1, 2, 1});
  AddTexts(table, "y", {"", "", "b", "a"});
  MakeLabel(table);
  const auto cleaned = Cleaned(table);

  ASSERT_TRUE(cleaned.ok()) << cleaned.status();
  EXPECT_THAT(Effects(*cleaned), ElementsAre("missing_label y 2"));
}

TEST(CleanTest, AColumnIsLookedAtInTheRowsThatStayed) {
  features::Table table;
  AddNumbers(table, "x", {1, 2, 3});
  AddTexts(table, "c", {"p", "q", "p"});
  AddTexts(table, "y", {"a", "", "b"});
  MakeLabel(table);
  const auto cleaned = Cleaned(table);

  ASSERT_TRUE(cleaned.ok()) << cleaned.status();
  EXPECT_THAT(Effects(*cleaned), ElementsAre("missing_label y 1", "constant_column c 2"));
}

TEST(CleanTest, SetsAsideWhatIsNoFeatureAndSaysHowToUndoIt) {
  features::Table table;
  AddNumbers(table, "x", {1, 2, 3});
  AddTexts(table, "name", {"p", "q", "r"}, schema::v1::COLUMN_TYPE_IDENTIFIER);
  AddTexts(table, "note", {"p", "q", "q"}, schema::v1::COLUMN_TYPE_TEXT);
  AddTexts(table, "void", {"", "", ""}, schema::v1::COLUMN_TYPE_TEXT);
  AddNumbers(table, "same", {7, kMissing, 7});
  AddNumbers(table, "unwanted", {1, 2, 3});
  AddTexts(table, "y", {"a", "b", "a"});
  MakeLabel(table);
  v1::ImportOptions options;
  options.add_drop_columns("unwanted");
  const auto cleaned = Cleaned(table, options);

  ASSERT_TRUE(cleaned.ok()) << cleaned.status();
  EXPECT_THAT(Effects(*cleaned),
              ElementsAre("identifier_column name 3",
                          "text_column note 3",
                          "empty_column void 3",
                          "constant_column same 3",
                          "dropped_column unwanted 3"));
  EXPECT_THAT(cleaned->effects[0].explanation(), HasSubstr("give the column another type"));
  EXPECT_THAT(cleaned->effects[1].explanation(), HasSubstr("give the column the type category"));
  EXPECT_THAT(cleaned->effects[2].explanation(), HasSubstr("your own missing spellings"));
  EXPECT_THAT(cleaned->effects[3].explanation(), HasSubstr("add rows with another"));
  EXPECT_THAT(cleaned->effects[4].explanation(), HasSubstr("take it from the columns to drop"));
  for (int c = 1; c <= 5; ++c) {
    EXPECT_EQ(cleaned->table.schema.columns(c).role(), schema::v1::COLUMN_ROLE_SET_ASIDE);
    EXPECT_THAT(
        cleaned->table.schema.columns(c).reason(),
        HasSubstr("set aside: " + cleaned->effects[static_cast<std::size_t>(c - 1)].rule()));
  }
}

// Rows of a number and a city, all of them different.
features::Table Cities(int count) {
  features::Table table;
  std::vector<std::string> texts;
  std::vector<double> numbers;
  for (int i = 0; i < count; ++i) {
    texts.push_back(std::to_string(i));
    numbers.push_back(i);
  }
  AddNumbers(table, "x", numbers);
  AddTexts(table, "city", texts);
  return table;
}

TEST(CleanTest, SetsAsideMoreCategoriesThanThereMayBeInputs) {
  const auto cleaned = Cleaned(Cities(1025));

  ASSERT_TRUE(cleaned.ok()) << cleaned.status();
  EXPECT_THAT(Effects(*cleaned), ElementsAre("text_column city 1025"));
  EXPECT_THAT(cleaned->effects[0].explanation(), HasSubstr("at most 1024 categories"));
  EXPECT_THAT(cleaned->over_limit, IsEmpty()) << "no limit would take it";
}

TEST(CleanTest, TellsWhichColumnsALargerLimitWouldTake) {
  EXPECT_THAT(Effects(*Cleaned(Cities(7), {}, 7)), IsEmpty());

  const auto cleaned = Cleaned(Cities(8), {}, 7);
  ASSERT_TRUE(cleaned.ok()) << cleaned.status();
  EXPECT_THAT(Effects(*cleaned), ElementsAre("text_column city 8"));
  EXPECT_THAT(cleaned->effects[0].explanation(), HasSubstr("at most 7 categories"));
  EXPECT_THAT(cleaned->over_limit, ElementsAre("city"));
}

TEST(CleanTest, WithoutALabelThereIsNoTask) {
  features::Table table;
  AddNumbers(table, "y", {1, 2});

  EXPECT_EQ(Cleaned(table)->table.schema.task(), schema::v1::TASK_UNSPECIFIED);
}

TEST(CleanTest, RefusesATableWithoutAFeature) {
  features::Table table;
  AddNumbers(table, "x", {7, 7, 7});
  AddTexts(table, "y", {"a", "b", "a"});
  MakeLabel(table);
  const absl::Status status = Cleaned(table).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(status),
            "t.csv: a dataset needs a feature beside its label, found 2 columns that are all set "
            "aside; the last, 'x', as constant_column");
  EXPECT_THAT(Fix(status), HasSubstr("give a column its type"));
}

TEST(CleanTest, RefusesALabelThatIsAlwaysMissing) {
  features::Table table;
  AddNumbers(table, "x", {1, 2});
  AddTexts(table, "y", {"", ""});
  MakeLabel(table);
  const absl::Status status = Cleaned(table).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(status), "t.csv: expected rows with a label, found none in column 'y'");
}

}  // namespace
}  // namespace millrace::data
