#include "clients/cli/progress.h"

#include <chrono>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cli/console.h"

namespace millrace::cli {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

// What goes to standard error while `total` things are done one by one.
std::string Told(bool live, int total) {
  std::ostringstream out;
  std::ostringstream err;
  Console console(out, err, live);
  {
    Progress progress(console, "epoch", total);
    for (int done = 1; done <= total; ++done) {
      progress.Update(done, "ok");
    }
  }
  EXPECT_EQ(out.str(), "");
  return err.str();
}

TEST(ProgressTest, WithoutATerminalEachTenthIsALine) {
  EXPECT_EQ(Told(/*live=*/false, 1000),
            "epoch   10 %  ok\nepoch   20 %  ok\nepoch   30 %  ok\nepoch   40 %  ok\n"
            "epoch   50 %  ok\nepoch   60 %  ok\nepoch   70 %  ok\nepoch   80 %  ok\n"
            "epoch   90 %  ok\nepoch  100 %  ok\n");
}

TEST(ProgressTest, FewStepsAreALineEach) {
  EXPECT_EQ(Told(/*live=*/false, 2), "epoch   50 %  ok\nepoch  100 %  ok\n");
}

TEST(ProgressTest, OnATerminalABarGrowsAndIsTakenAway) {
  const std::string told = Told(/*live=*/true, 1);
  EXPECT_THAT(told, HasSubstr("epoch  ########################  100 %  ok"));
  EXPECT_THAT(told, EndsWith("\r\x1b[K"));
  EXPECT_THAT(told, Not(HasSubstr("\n")));
}

TEST(ProgressTest, ABarIsNotRedrawnForEveryStep) {
  const std::string told = Told(/*live=*/true, 100'000);
  EXPECT_THAT(told, HasSubstr("epoch  ........................    0 %"));
  EXPECT_THAT(told, HasSubstr("100 %"));
  EXPECT_LT(told.size(), 100'000U);
}

TEST(ProgressTest, ABarFitsTheTerminalAndLeavesOutWhatIsLast) {
  const std::string text =
      "10/40  loss: train 0.4632, validation 0.4420   accuracy 0.9650   9 rows/s";
  EXPECT_EQ(BarLine("epoch", 0.25, "12 s left", text, 0),
            "epoch  ######..................   25 %  12 s left  " + text);
  const std::string line = BarLine("epoch", 0.25, "12 s left", text, 80);
  EXPECT_EQ(line,
            "epoch  ##.......   25 %  12 s left  10/40  loss: train 0.4632, validation 0.4420");
  EXPECT_LE(line.size(), 80U);
  EXPECT_EQ(BarLine("epoch", 0.5, "", "größer", 10).substr(0, 5), "epoch");
}

TEST(ProgressTest, TimeIsSpelledAsShortAsItMatters) {
  EXPECT_EQ(SpellTime(std::chrono::milliseconds(200)), "1 s");
  EXPECT_EQ(SpellTime(std::chrono::seconds(99)), "99 s");
  EXPECT_EQ(SpellTime(std::chrono::seconds(150)), "3 min");
  EXPECT_EQ(SpellTime(std::chrono::minutes(125)), "2 h 5 min");
}

TEST(ProgressTest, NothingToDoAndMoreThanAllAreAll) {
  std::ostringstream out;
  std::ostringstream err;
  Console console(out, err, /*live=*/false);
  Progress(console, "importing", 0).Update(0, "0 B");
  EXPECT_EQ(err.str(), "");
  Progress(console, "importing", 10).Update(25, "25 B");
  EXPECT_EQ(err.str(), "importing  100 %  25 B\n");
}

}  // namespace
}  // namespace millrace::cli
