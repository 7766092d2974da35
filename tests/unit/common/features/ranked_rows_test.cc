#include "common/features/ranked_rows.h"

#include <algorithm>
#include <stop_token>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/features/table_groups.h"

namespace millrace::features {
namespace {

Table Example(std::int64_t rows) {
  Table table;
  for (const auto type : {schema::v1::COLUMN_TYPE_REAL, schema::v1::COLUMN_TYPE_CATEGORY}) {
    table.schema.add_columns()->set_type(type);
  }
  table.schema.mutable_columns(1)->set_role(schema::v1::COLUMN_ROLE_LABEL);
  table.columns.resize(2);
  table.columns[1].dictionary = {"a", "b"};
  for (std::int64_t row = 0; row < rows; ++row) {
    table.columns[0].numbers.push_back(static_cast<double>(row % 50));
    table.columns[0].valid.push_back(1);
    table.columns[1].codes.push_back(static_cast<std::int32_t>(row % 2));
    table.columns[1].valid.push_back(row % 10 == 0 ? 0 : 1);
  }
  return table;
}

std::vector<RankedRow> All(const RowGroups& rows) {
  const storage::TemporaryFolder folder;
  const auto ranked = Ranked(rows, {1, 2}, folder);
  EXPECT_TRUE(ranked.ok()) << ranked.status();
  std::vector<RankedRow> all;
  EXPECT_TRUE(ranked
                  ->ForEach([&](const RankedRow& row) {
                    all.push_back(row);
                    return absl::OkStatus();
                  })
                  .ok());
  return all;
}

TEST(RankedRowsTest, EveryRowStandsOnceInOrderOfItsRankAndPlace) {
  const std::vector<RankedRow> all = All(TableGroups(Example(200), 7));
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  std::vector<bool> seen(200);
  for (const RankedRow& row : all) {
    EXPECT_FALSE(seen[static_cast<std::size_t>(row.row)]);
    seen[static_cast<std::size_t>(row.row)] = true;
    EXPECT_EQ(row.label == kMissingWord, row.row % 10 == 0);
  }
  EXPECT_EQ(all.size(), 200U);
}

TEST(RankedRowsTest, GroupsChangeNothing) {
  const std::vector<RankedRow> few = All(TableGroups(Example(200), 7));
  const std::vector<RankedRow> one = All(TableGroups(Example(200), 1'000));
  ASSERT_EQ(few.size(), one.size());
  for (std::size_t i = 0; i < few.size(); ++i) {
    EXPECT_EQ(few[i].row, one[i].row);
    EXPECT_EQ(few[i].said, one[i].said);
    EXPECT_EQ(few[i].label, one[i].label);
  }
}

TEST(RankedRowsTest, StopsWhenAskedTo) {
  const storage::TemporaryFolder folder;
  std::stop_source source;
  source.request_stop();
  const auto ranked =
      RankedRows::Rank(TableGroups(Example(10)),
                       {.key = {}, .label = 1, .threads = 1, .stop = source.get_token()},
                       {.files = storage::PosixFileSystem(), .folder = folder.path()});

  EXPECT_EQ(ranked.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Message(ranked.status()), "the import was stopped");
}

}  // namespace
}  // namespace millrace::features
