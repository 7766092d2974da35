#include "services/data/store/column_codec.h"

#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace::data {
namespace {

using features::ColumnCells;
using testing::ElementsAre;

ColumnCells Numbers() {
  return {
      .numbers = {1.5, 0, -1e300, 5e-324}, .codes = {}, .dictionary = {}, .valid = {1, 0, 1, 1}};
}

ColumnCells Decimals() {
  return {.numbers = {1.5, 0, -300, 0.25}, .codes = {}, .dictionary = {}, .valid = {1, 0, 1, 1}};
}

ColumnCells Texts() {
  return {.numbers = {},
          .codes = {1, 0, 0},
          .dictionary = {"", std::string("a\0\xff", 3)},
          .valid = {1, 0, 1}};
}

void ExpectSame(const ColumnCells& read, const ColumnCells& written) {
  EXPECT_EQ(read.numbers, written.numbers);
  EXPECT_EQ(read.codes, written.codes);
  EXPECT_EQ(read.dictionary, written.dictionary);
  EXPECT_EQ(read.valid, written.valid);
}

TEST(ColumnCodecTest, ReadsBackWhatWasWritten) {
  const auto numbers = DecodeColumn(EncodeColumn(Numbers(), /*numeric=*/true));
  ASSERT_TRUE(numbers.ok()) << numbers.status();
  ExpectSame(*numbers, Numbers());

  const auto decimals = DecodeColumn(EncodeColumn(Decimals(), /*numeric=*/true));
  ASSERT_TRUE(decimals.ok()) << decimals.status();
  ExpectSame(*decimals, Decimals());

  const auto texts = DecodeColumn(EncodeColumn(Texts(), /*numeric=*/false));
  ASSERT_TRUE(texts.ok()) << texts.status();
  ExpectSame(*texts, Texts());

  EXPECT_TRUE(DecodeColumn(EncodeColumn({}, /*numeric=*/true)).ok());
  EXPECT_TRUE(DecodeColumn(EncodeColumn({}, /*numeric=*/false)).ok());
}

TEST(ColumnCodecTest, TheBytesAreTheDocumentedOnes) {
  EXPECT_EQ(EncodeColumn({.numbers = {1e300}, .codes = {}, .dictionary = {}, .valid = {1}}, true),
            std::string("MRCOLUMN\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01", 25) +
                std::string("\x9c\x75\x00\x88\x3c\xe4\x37\x7e", 8));
  EXPECT_EQ(EncodeColumn({.numbers = {2.5}, .codes = {}, .dictionary = {}, .valid = {1}}, true),
            std::string("MRCOLUMN\x01\0\0\0\x02\0\0\0\x01\0\0\0\0\0\0\0\x01", 25) +
                std::string("\x01\0\0\0\0\0\0\0\x19\0\0\0\0\0\0\0", 16));
  EXPECT_EQ(EncodeColumn({.numbers = {}, .codes = {0}, .dictionary = {"ab"}, .valid = {1}}, false),
            std::string("MRCOLUMN\x01\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x01", 25) +
                std::string("\0\0\0\0\x01\0\0\0\x02\0\0\0ab", 14));
}

TEST(ColumnCodecTest, WhatStandsWhereThereIsNoValueDoesNotCount) {
  ColumnCells odd = Numbers();
  odd.numbers[1] = std::numeric_limits<double>::quiet_NaN();

  EXPECT_EQ(EncodeColumn(odd, true), EncodeColumn(Numbers(), true));
}

TEST(ColumnCodecTest, EveryTruncationIsDataLoss) {
  for (const std::string& bytes : {EncodeColumn(Numbers(), true),
                                   EncodeColumn(Decimals(), true),
                                   EncodeColumn(Texts(), false)}) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const absl::Status status = DecodeColumn(bytes.substr(0, size)).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << size;
      EXPECT_THAT(std::string(Message(status)), testing::HasSubstr("a stored column"));
    }
    EXPECT_EQ(DecodeColumn(bytes + "x").status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(ColumnCodecTest, ContradictionsAreDataLoss) {
  const auto refuse = [](const std::string& bytes, std::size_t at, char byte) {
    std::string changed = bytes;
    changed.at(at) = byte;
    EXPECT_EQ(DecodeColumn(changed).status().code(), absl::StatusCode::kDataLoss) << at;
  };
  const std::string texts = EncodeColumn(Texts(), false);
  refuse(texts, 0, 'X');
  refuse(texts, 8, 2);        // version
  refuse(texts, 12, 3);       // kind
  refuse(texts, 12, 0);       // the other kind
  refuse(texts, 23, '\x7f');  // rows: more than memory holds
  refuse(texts, 24, 2);       // validity
  refuse(texts, 27, 2);       // a code beyond the dictionary
  refuse(texts, 30, '\x80');  // a negative code
  refuse(texts, 31, 1);       // a code where there is no value
  refuse(texts, 39, '\x7f');  // texts: more than there are bytes
  std::string infinite = EncodeColumn(Numbers(), true);
  infinite.replace(28, 8, std::string("\0\0\0\0\0\0\xf0\x7f", 8));
  EXPECT_EQ(DecodeColumn(infinite).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace millrace::data
