#include "common/csv/record_scan.h"

#include <string>

#include <gtest/gtest.h>

#include "common/clock/random.h"

namespace millrace::csv {
namespace {

RecordScan Scanned(std::string_view text) {
  RecordScan scan;
  scan.Add(text);
  return scan;
}

TEST(RecordScanTest, FindsTheLastLineFeedOutsideQuotes) {
  EXPECT_EQ(Scanned("").end(), 0U);
  EXPECT_EQ(Scanned("a,b").end(), 0U);
  EXPECT_EQ(Scanned("a\nb\nc").end(), 4U);
  EXPECT_EQ(Scanned("a\n\"b\nc").end(), 2U);
  EXPECT_EQ(Scanned("a\n\"b\nc\"\nd").end(), 8U);
  EXPECT_EQ(Scanned("\"a\"\"\n\"\n").end(), 7U);
  EXPECT_EQ(Scanned("37\"N 2\"W\n").end(), 9U) << "quotes in pairs inside a cell";
}

TEST(RecordScanTest, CountsEveryLineFeedBeforeIt) {
  EXPECT_EQ(Scanned("a\n\"b\nc\"\nd").line_feeds(), 3);
  EXPECT_EQ(Scanned("a\n\"b\nc").line_feeds(), 1);
}

// The same, a byte at a time.
void ScanSlowly(std::string_view text, std::size_t& end, std::int64_t& line_feeds) {
  bool inside = false;
  std::int64_t feeds = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    inside = inside != (text[i] == '"');
    feeds += text[i] == '\n' ? 1 : 0;
    if (text[i] == '\n' && !inside) {
      end = i + 1;
      line_feeds = feeds;
    }
  }
}

TEST(RecordScanTest, EqualsALookAtEveryByteHoweverTheTextIsCut) {
  Random random(8);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    const std::uint64_t size = random.Below(400);
    for (std::uint64_t i = 0; i < size; ++i) {
      text += "aaaaa,\"\n"[random.Below(8)];
    }
    std::size_t end = 0;
    std::int64_t line_feeds = 0;
    ScanSlowly(text, end, line_feeds);
    RecordScan scan;
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::size_t piece = 1 + random.Below(rest.size());
      scan.Add(rest.substr(0, piece));
      rest.remove_prefix(piece);
    }
    ASSERT_EQ(scan.end(), end) << text;
    ASSERT_EQ(scan.line_feeds(), line_feeds) << text;
  }
}

}  // namespace
}  // namespace millrace::csv
