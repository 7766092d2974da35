#include "clients/cli/spelling.h"

#include <string>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <google/protobuf/timestamp.pb.h>
#include <gtest/gtest.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/schema/v1/schema.pb.h"
#include "millrace/training/v1/training_service.pb.h"

#include "clients/cli/failure.h"
#include "common/status/status.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using training::Fails;

TEST(SpellingTest, AnEnumIsAWordWithoutItsTypesPrefix) {
  EXPECT_EQ(Spell(data::v1::SCALING_MIN_MAX), "min_max");
  EXPECT_EQ(Spell(training::v1::Run::STATE_SUCCEEDED), "succeeded");
  EXPECT_EQ(Spell(schema::v1::SPLIT_TEST), "test");
}

TEST(SpellingTest, AnEnumValueOfALaterBuildIsItsNumber) {
  EXPECT_EQ(EnumWord(*data::v1::Scaling_descriptor(), 77), "77");
}

TEST(SpellingTest, EveryWordOfAnEnumIsReadAsItIsWritten) {
  const auto& type = *schema::v1::ColumnType_descriptor();
  for (int value = 1; value < type.value_count(); ++value) {
    const auto read = ParseEnumWord(type, "--type", EnumWord(type, value));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, value);
  }
}

TEST(SpellingTest, AnUnknownWordIsAUsageErrorThatNamesTheClosest) {
  const auto read = ParseEnumWord(*data::v1::Scaling_descriptor(), "--scaling", "standart");
  EXPECT_THAT(read,
              Fails(absl::StatusCode::kInvalidArgument,
                    "--scaling must be one of min_max, standard, none, found 'standart'"));
  EXPECT_EQ(ExitFor(read.status(), false), Exit::kUsage);
  EXPECT_EQ(Fix(read.status()), "did you mean 'standard'?");
}

TEST(SpellingTest, AWordLikeNoOtherGetsTheWholeList) {
  const auto read = ParseEnumWord(*data::v1::Scaling_descriptor(), "--scaling", "x");
  EXPECT_EQ(Fix(read.status()), "give one of min_max, standard, none");
}

TEST(SpellingTest, UnspecifiedIsNoWord) {
  EXPECT_THAT(ParseEnumWord(*data::v1::Scaling_descriptor(), "--scaling", "unspecified"),
              Fails(absl::StatusCode::kInvalidArgument, "found 'unspecified'"));
}

TEST(SpellingTest, NumbersHaveFourSignificantDigits) {
  EXPECT_EQ(Spell(1234567.0), "1234567");
  EXPECT_EQ(Spell(1.5e15), "1.5e+15");
  EXPECT_EQ(SpellCell(631'800'000, schema::v1::COLUMN_TYPE_TIMESTAMP), "1990-01-08 12:00:00");
  EXPECT_EQ(SpellCell(631'756'800, schema::v1::COLUMN_TYPE_TIMESTAMP), "1990-01-08");
  EXPECT_EQ(SpellCell(2.5, schema::v1::COLUMN_TYPE_REAL), "2.5");
  EXPECT_EQ(Spell(0.123456), "0.1235");
  EXPECT_EQ(Spell(-2.0), "-2");
}

TEST(SpellingTest, ATimeIsInUtcToTheSecond) {
  google::protobuf::Timestamp time;
  time.set_seconds(1'714'566'605);
  time.set_nanos(999'999'999);
  EXPECT_EQ(Spell(time), "2024-05-01 12:30:05");
}

TEST(SpellingTest, ForAProgramNothingIsCutOrRounded) {
  google::protobuf::Timestamp time;
  time.set_seconds(1'714'566'605);
  EXPECT_EQ(Spell(time, /*exact=*/true), "2024-05-01T12:30:05Z");
  time.set_nanos(250'000'000);
  EXPECT_EQ(Spell(time, /*exact=*/true), "2024-05-01T12:30:05.250Z");
  time.set_nanos(-1);
  EXPECT_EQ(Spell(time, /*exact=*/true), "2024-05-01T12:30:05Z");
  EXPECT_EQ(SpellBytes(124'400, /*exact=*/true), "124400");
  EXPECT_EQ(ShortDigest("0123456789abcdef", /*exact=*/true), "0123456789abcdef");
}

TEST(SpellingTest, ATimeThatIsNotSetIsEmpty) {
  EXPECT_EQ(Spell(google::protobuf::Timestamp()), "");
}

TEST(SpellingTest, ATimeThatNoCalendarHasDoesNoHarm) {
  google::protobuf::Timestamp time;
  time.set_seconds(INT64_MAX);
  EXPECT_EQ(Spell(time), "9223372036854775807 s");
}

TEST(SpellingTest, BytesTakeTheUnitThatLeavesThreeDigits) {
  EXPECT_EQ(SpellBytes(0), "0 B");
  EXPECT_EQ(SpellBytes(999), "999 B");
  EXPECT_EQ(SpellBytes(1000), "1 kB");
  EXPECT_EQ(SpellBytes(124'400), "124 kB");
  EXPECT_EQ(SpellBytes(999'499), "999 kB");
  EXPECT_EQ(SpellBytes(999'500), "1 MB");
  EXPECT_EQ(SpellBytes(38'200'000), "38.2 MB");
  EXPECT_EQ(SpellBytes(5'000'000'000'000), "5 TB");
}

TEST(SpellingTest, ADigestIsCutToTwelveDigits) {
  EXPECT_EQ(ShortDigest("0123456789abcdef"), "0123456789ab");
  EXPECT_EQ(ShortDigest("01"), "01");
}

}  // namespace
}  // namespace millrace::cli
