#include "clients/cli/sparkline.h"

#include <cstdint>
#include <cstdlib>
#include <initializer_list>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

std::string Draw(std::initializer_list<std::int64_t> bins, bool utf8) {
  google::protobuf::RepeatedField<std::int64_t> field;
  field.Assign(bins.begin(), bins.end());
  return Sparkline(field, utf8);
}

TEST(SparklineTest, TheFullestBinIsTheHighest) {
  EXPECT_EQ(Draw({0, 1, 4, 8}, true), " ▁▄█");
  EXPECT_EQ(Draw({0, 1, 4, 8}, false), " .=@");
  EXPECT_EQ(Draw({}, true), "");
  EXPECT_EQ(Draw({0, 0}, false), "  ");
}

TEST(SparklineTest, TheFirstVariableThatIsSetSaysWhatTheTerminalShows) {
  unsetenv("LC_ALL");
  unsetenv("LC_CTYPE");
  setenv("LANG", "de_DE.UTF-8", 1);
  EXPECT_TRUE(SpeaksUtf8());
  setenv("LC_ALL", "C", 1);
  EXPECT_FALSE(SpeaksUtf8());
  unsetenv("LC_ALL");
  unsetenv("LANG");
  EXPECT_FALSE(SpeaksUtf8());
}

}  // namespace
}  // namespace millrace::cli
