#include "common/features/row_groups.h"

#include <atomic>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/features/table_groups.h"

namespace millrace::features {
namespace {

using testing::ElementsAre;

TableGroups Groups(const schema::v1::Column& column, const ColumnCells& cells) {
  Table table;
  *table.schema.add_columns() = column;
  table.columns.push_back(cells);
  return TableGroups(std::move(table), 2);
}

std::vector<std::string> Classes(const schema::v1::Column& column,
                                 const ColumnCells& cells,
                                 std::size_t limit) {
  const TableGroups groups = Groups(column, cells);
  ColumnReader reader(groups, 0, {});
  const auto classes = ClassesOf(reader, RowMarks(cells.valid.size(), kKept), limit);
  EXPECT_TRUE(classes.ok()) << classes.status();
  return *classes;
}

TEST(ClassesOfTest, NamesTheClassesInByteOrderAndPassesOverMissingCells) {
  schema::v1::Column column;
  column.set_type(schema::v1::COLUMN_TYPE_INTEGER);
  const ColumnCells numbers{
      .numbers = {2, 10, 0, 2}, .codes = {}, .dictionary = {}, .valid = {1, 1, 0, 1}};
  EXPECT_THAT(Classes(column, numbers, 9), ElementsAre("10", "2"));

  column.set_type(schema::v1::COLUMN_TYPE_BOOLEAN);
  column.set_true_spelling("yes");
  column.set_false_spelling("no");
  const ColumnCells booleans{.numbers = {1, 0}, .codes = {}, .dictionary = {}, .valid = {1, 1}};
  EXPECT_THAT(Classes(column, booleans, 9), ElementsAre("no", "yes"));

  column.set_type(schema::v1::COLUMN_TYPE_CATEGORY);
  const ColumnCells texts{
      .numbers = {}, .codes = {0, 1, 0, 2}, .dictionary = {"c", "a", "b"}, .valid = {1, 1, 1, 1}};
  EXPECT_THAT(Classes(column, texts, 9), ElementsAre("a", "b", "c"));
}

TEST(ClassesOfTest, StopsOnePastTheLimit) {
  schema::v1::Column column;
  column.set_type(schema::v1::COLUMN_TYPE_INTEGER);
  ColumnCells cells;
  for (int i = 0; i < 100; ++i) {
    cells.numbers.push_back(i);
    cells.valid.push_back(1);
  }

  EXPECT_EQ(Classes(column, cells, 10).size(), 11U);
}

TEST(ClassesOfTest, PassesOverRowsThatAreDropped) {
  schema::v1::Column column;
  column.set_type(schema::v1::COLUMN_TYPE_CATEGORY);
  const TableGroups groups = Groups(
      column, {.numbers = {}, .codes = {0, 1, 0}, .dictionary = {"c", "a"}, .valid = {1, 1, 1}});
  ColumnReader reader(groups, 0, {});

  EXPECT_THAT(*ClassesOf(reader, {kKept, kDropped, kKept}, 9), ElementsAre("c"));
}

TEST(ColumnReaderTest, GivesEveryGroupInOrderAsOftenAsAskedFor) {
  schema::v1::Column column;
  column.set_type(schema::v1::COLUMN_TYPE_REAL);
  const TableGroups groups =
      Groups(column,
             {.numbers = {1, 2, 3, 4, 5}, .codes = {}, .dictionary = {}, .valid = {1, 1, 1, 1, 1}});
  ColumnReader reader(groups, 0, {});
  for (int pass = 0; pass < 2; ++pass) {
    std::vector<std::int64_t> firsts;
    std::vector<double> numbers;
    const absl::Status read = reader.ForEach([&](const ColumnCells& cells, std::int64_t first_row) {
      firsts.push_back(first_row);
      numbers.insert(numbers.end(), cells.numbers.begin(), cells.numbers.end());
      return absl::OkStatus();
    });

    EXPECT_TRUE(read.ok()) << read;
    EXPECT_THAT(firsts, ElementsAre(0, 2, 4));
    EXPECT_THAT(numbers, ElementsAre(1, 2, 3, 4, 5));
  }
}

TEST(ColumnReaderTest, StopsWhenAskedToAndWhenItsReaderHasEnough) {
  schema::v1::Column column;
  column.set_type(schema::v1::COLUMN_TYPE_REAL);
  const TableGroups groups =
      Groups(column, {.numbers = {1, 2, 3}, .codes = {}, .dictionary = {}, .valid = {1, 1, 1}});
  std::stop_source source;
  ColumnReader reader(groups, 0, source.get_token());
  int seen = 0;
  EXPECT_TRUE(reader
                  .ForEachWhile([&](const ColumnCells&, std::int64_t) -> absl::StatusOr<bool> {
                    ++seen;
                    return false;
                  })
                  .ok());
  EXPECT_EQ(seen, 1);

  source.request_stop();
  const absl::Status stopped =
      reader.ForEach([](const ColumnCells&, std::int64_t) { return absl::OkStatus(); });
  EXPECT_EQ(stopped.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Message(stopped), "the import was stopped");
}

TEST(ColumnJoinerTest, PutsTextsUnderOneDictionaryInOrderOfAppearance) {
  ColumnJoiner joiner(/*numeric=*/false);
  joiner.Add({.numbers = {}, .codes = {1, 0}, .dictionary = {"a", "b"}, .valid = {1, 1}}, 0, 2);
  joiner.Add(
      {.numbers = {}, .codes = {0, 0, 1}, .dictionary = {"c", "b"}, .valid = {1, 0, 1}}, 0, 3);
  const ColumnCells cells = joiner.Release();

  EXPECT_THAT(cells.dictionary, ElementsAre("b", "a", "c"));
  EXPECT_THAT(cells.codes, ElementsAre(0, 1, 2, 0, 0));
  EXPECT_THAT(cells.valid, ElementsAre(1, 1, 1, 0, 1));
  EXPECT_EQ(joiner.size(), 0) << "begins anew";
}

TEST(ColumnJoinerTest, EndsWithTheTextThatFillsIt) {
  ColumnJoiner joiner(/*numeric=*/false);
  const ColumnCells cells{
      .numbers = {}, .codes = {0, 1, 2}, .dictionary = {"aa", "bb", "cc"}, .valid = {1, 1, 1}};

  EXPECT_EQ(joiner.Add(cells, 0, 3, /*text_bytes_max=*/3), 2U);
  EXPECT_EQ(joiner.text_bytes(), 4U);
  EXPECT_THAT(joiner.Release().dictionary, ElementsAre("aa", "bb"));
}

TEST(LongestFirstTest, PutsTextsFirstAndNumbersLast) {
  schema::v1::Schema schema;
  for (const auto type : {schema::v1::COLUMN_TYPE_REAL,
                          schema::v1::COLUMN_TYPE_CATEGORY,
                          schema::v1::COLUMN_TYPE_TEXT,
                          schema::v1::COLUMN_TYPE_BOOLEAN,
                          schema::v1::COLUMN_TYPE_IDENTIFIER}) {
    schema.add_columns()->set_type(type);
  }
  EXPECT_THAT(LongestFirst(schema), ElementsAre(2, 1, 4, 0, 3));
}

TEST(InParallelTest, DoesEverythingOnceOnAnyNumberOfThreads) {
  for (const int threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> done(100);
    const absl::Status status = InParallel(threads, done.size(), [&](std::size_t i) {
      ++done[i];
      return absl::OkStatus();
    });

    EXPECT_TRUE(status.ok()) << status;
    for (const auto& times : done) {
      EXPECT_EQ(times, 1);
    }
  }
}

// Goal: the error does not depend on the threads. Method: every piece from the tenth on fails.
TEST(InParallelTest, ReturnsTheErrorOfTheFirstThatFails) {
  for (int round = 0; round < 20; ++round) {
    const absl::Status status = InParallel(4, 100, [](std::size_t i) {
      return i < 10 ? absl::OkStatus() : InvalidArgument("piece {}", i);
    });

    EXPECT_EQ(Message(status), "piece 10");
  }
}

TEST(InParallelTest, ThrowsAgainWhatItsWorkThrew) {
  EXPECT_THROW(InParallel(3,
                          10,
                          [](std::size_t i) -> absl::Status {
                            if (i == 4) {
                              throw std::length_error("too long");
                            }
                            return absl::OkStatus();
                          })
                   .IgnoreError(),
               std::length_error);
}

}  // namespace
}  // namespace millrace::features
