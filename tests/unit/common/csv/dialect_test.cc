#include "common/csv/dialect.h"

#include <string>

#include <gtest/gtest.h>

namespace millrace::csv {
namespace {

char Detected(std::string_view sample) {
  return DetectDelimiter(sample, /*is_whole_file=*/true).delimiter;
}

TEST(DialectTest, FindsEachOfTheFourDelimiters) {
  EXPECT_EQ(Detected("a,b,c\n1,2,3\n"), ',');
  EXPECT_EQ(Detected("a;b;c\n1;2;3\n"), ';');
  EXPECT_EQ(Detected("a\tb\tc\n1\t2\t3\n"), '\t');
  EXPECT_EQ(Detected("a|b|c\n1|2|3\n"), '|');
}

TEST(DialectTest, IsNotMisledByDelimitersInsideQuotesOrText) {
  EXPECT_EQ(Detected("name;note\nx;\"a,b,c\"\ny;\"d,e\"\n"), ';');
  EXPECT_EQ(Detected("name\tnote\nx\tone, two\ny\tthree\n"), '\t');
}

TEST(DialectTest, ADecimalCommaDoesNotBeatARegularSemicolon) {
  EXPECT_EQ(Detected("a;b\n1,5;2\n3;4,5\n6;7\n"), ';');
}

TEST(DialectTest, ADamagedRowDoesNotChangeTheDelimiter) {
  EXPECT_EQ(Detected("a,b\n1,2\n3\n4,5\n"), ',');
  EXPECT_EQ(Detected("a,b\n1,2\n3,\"lone\n"), ',');
}

TEST(DialectTest, AFileOfOneColumnHasNoDelimiter) {
  const DetectedDelimiter detected = DetectDelimiter("age\n1\n2\n", /*is_whole_file=*/true);

  EXPECT_FALSE(detected.found);
  EXPECT_EQ(detected.delimiter, ',');
}

TEST(DialectTest, ASampleMayEndInsideARow) {
  std::string sample = "a;b;c\n";
  while (sample.size() < 70'000) {
    sample += "1;\"two, three\";4\n";
  }
  sample += "5;\"six";

  EXPECT_EQ(DetectDelimiter(sample, /*is_whole_file=*/false).delimiter, ';');
}

}  // namespace
}  // namespace millrace::csv
