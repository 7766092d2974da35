#include "common/features/row_hash.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace millrace::features {
namespace {

constexpr HashKey kKey = {0x0706050403020100U, 0x0f0e0d0c0b0a0908U};

// Vectors of the reference implementation by Aumasson and Bernstein.
TEST(SipHashTest, EqualsThePublishedVectors) {
  std::string bytes;
  for (char c = 0; c < 15; ++c) {
    bytes += c;
  }

  EXPECT_EQ(SipHash(kKey, ""), 0x726fdb47dd0e0e31U);
  EXPECT_EQ(SipHash(kKey, bytes), 0xa129ca6149be45e5U);
  EXPECT_EQ(SipHash(kKey, bytes.substr(0, 8)), 0x93f5f5799a932462U);
}

Table Example() {
  Table table;
  table.schema.add_columns()->set_type(schema::v1::COLUMN_TYPE_REAL);
  table.schema.add_columns()->set_type(schema::v1::COLUMN_TYPE_CATEGORY);
  table.columns.resize(2);
  table.columns[0].numbers = {1, 0, -0.0, 0, 1};
  table.columns[0].valid = {1, 1, 1, 0, 1};
  table.columns[1].codes = {0, 1, 1, 1, 0};
  table.columns[1].dictionary = {"a", "b"};
  table.columns[1].valid = {1, 1, 1, 1, 1};
  return table;
}

std::vector<std::uint64_t> Hashes(const Table& table, HashKey key) {
  std::vector<std::uint64_t> hashes;
  for (const Said& said : SayRows(table.columns, key)) {
    hashes.push_back(said.rank);
  }
  return hashes;
}

TEST(SayRowsTest, RowsThatSayTheSameHaveTheSameHash) {
  const std::vector<std::uint64_t> hashes = Hashes(Example(), kKey);

  EXPECT_EQ(hashes[0], hashes[4]);
  EXPECT_EQ(hashes[1], hashes[2]) << "-0 is 0";
  EXPECT_NE(hashes[0], hashes[1]);
  EXPECT_NE(hashes[1], hashes[3]) << "missing is not 0";
}

TEST(SayRowsTest, DoesNotDependOnTheDictionarysOrderOrOtherRows) {
  Table other = Example();
  other.columns[1].dictionary = {"b", "a"};
  other.columns[1].codes = {1, 0, 0, 0, 1};

  EXPECT_EQ(Hashes(other, kKey), Hashes(Example(), kKey));
}

TEST(SayRowsTest, TheKeyChangesEveryHash) {
  const std::vector<std::uint64_t> one = Hashes(Example(), {1, 2});
  const std::vector<std::uint64_t> two = Hashes(Example(), {1, 3});

  for (std::size_t row = 0; row < one.size(); ++row) {
    EXPECT_NE(one[row], two[row]);
  }
}

TEST(SayRowsTest, GoesAcrossBlocksOfRows) {
  Table table;
  table.schema.add_columns()->set_type(schema::v1::COLUMN_TYPE_REAL);
  table.columns.resize(1);
  table.columns[0].numbers.assign(1000, 7);
  table.columns[0].valid.assign(1000, 1);

  const std::vector<std::uint64_t> hashes = Hashes(table, kKey);
  EXPECT_EQ(hashes.size(), 1000U);
  EXPECT_EQ(hashes.front(), hashes.back());
}

bool SameRow(const Table& table, std::size_t left, std::size_t right) {
  const std::vector<Said> said = SayRows(table.columns, kKey);
  return said[left] == said[right];
}

TEST(SayRowsTest, BothWordsCompareEveryCell) {
  const Table table = Example();

  EXPECT_TRUE(SameRow(table, 0, 4));
  EXPECT_TRUE(SameRow(table, 1, 2));
  EXPECT_FALSE(SameRow(table, 0, 1));
  EXPECT_FALSE(SameRow(table, 1, 3));
}

// Goal: rows whose ranks were equal by chance would still differ by their check. Method: the checks
// of different rows and texts differ too.
TEST(SayRowsTest, TheCheckIsAHashOfItsOwn) {
  const std::vector<Said> said = SayRows(Example().columns, kKey);

  EXPECT_NE(said[0].check, said[1].check);
  EXPECT_NE(said[1].check, said[3].check);
  EXPECT_NE(said[0].check, said[0].rank);
  EXPECT_NE(SayText(kKey, "a").check, SayText(kKey, "b").check);
  EXPECT_EQ(SayText(kKey, "a").rank, SipHash(kKey, "a"));
}

TEST(SayRowsTest, ACellsWordIsItsNumberItsTextOrThatItMisses) {
  const Table table = Example();
  const std::vector<std::uint64_t> texts = {SipHash(kKey, "a"), SipHash(kKey, "b")};

  EXPECT_EQ(CellWord(table.columns[0], 2, {}), 0U) << "-0 is 0";
  EXPECT_EQ(CellWord(table.columns[0], 3, {}), kMissingWord);
  EXPECT_EQ(CellWord(table.columns[1], 1, texts), texts[1]);
}

}  // namespace
}  // namespace millrace::features
