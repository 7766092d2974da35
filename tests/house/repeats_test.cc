// The rule about repeats, shown texts that break it and such that do not.

#include "tests/house/repeats.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::house {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Numbered(int from, int to, const std::string& indent = "") {
  std::string text;
  for (int i = from; i <= to; ++i) {
    text += indent + "Call" + std::to_string(i) + "();\n";
  }
  return text;
}

TEST(RepeatsTest, RefusesARunInTwoFiles) {
  EXPECT_THAT(EqualRuns({{"a.cc", "int a;\n" + Numbered(1, 5)}, {"b.cc", Numbered(0, 6, "  ")}}, 4),
              ElementsAre("b.cc:2: 5 lines stand in a.cc:2 already"));
}

TEST(RepeatsTest, RefusesARunTwiceInOneFile) {
  EXPECT_THAT(EqualRuns({{"a.cc", Numbered(1, 4) + "int a;\n" + Numbered(1, 4)}}, 4),
              ElementsAre("a.cc:6: 4 lines stand in a.cc:1 already"));
}

TEST(RepeatsTest, PassesOverWhatIsNoCode) {
  const std::string noise = "// A comment.\n\n#include <map>\n});\n";
  EXPECT_THAT(EqualRuns({{"a.cc", Numbered(1, 2) + noise + Numbered(3, 4)},
                         {"b.cc", Numbered(1, 3) + noise + Numbered(4, 4)}},
                        4),
              ElementsAre("b.cc:1: 4 lines stand in a.cc:1 already"));
  EXPECT_THAT(EqualRuns({{"a.cc", noise + noise}, {"b.cc", noise}}, 1), IsEmpty());
}

TEST(RepeatsTest, TakesShorterRunsAndLinesThatRepeatThemselves) {
  EXPECT_THAT(EqualRuns({{"a.cc", Numbered(1, 3)}, {"b.cc", Numbered(1, 3)}}, 4), IsEmpty());
  EXPECT_THAT(EqualRuns({{"a.cc", "int a;\nint a;\nint a;\nint a;\nint a;\n"}}, 4), IsEmpty());
}

}  // namespace
}  // namespace millrace::house
