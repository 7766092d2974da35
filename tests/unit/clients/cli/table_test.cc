#include "clients/cli/table.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

TEST(TableTest, ColumnsStandTwoBlanksApart) {
  Table table({"NAME", ">ROWS", "WHAT"});
  table.Add({"iris", "150", "flowers"});
  table.Add({"a", "9", "b"});
  EXPECT_EQ(table.ToString(),
            "NAME  ROWS  WHAT\n"
            "iris   150  flowers\n"
            "a        9  b\n");
}

TEST(TableTest, NoLineEndsWithBlanks) {
  Table table({"NAME", "WHAT"});
  table.Add({"long name", "x"});
  table.Add({"y"});
  EXPECT_EQ(table.ToString(),
            "NAME       WHAT\n"
            "long name  x\n"
            "y\n");
}

TEST(TableTest, AnEmptyCellIsADash) {
  Table table;
  table.Add({"label", "", "none"});
  EXPECT_EQ(table.ToString(), "label  -  none\n");
}

TEST(TableTest, FactsHaveNoHeadings) {
  Table table;
  EXPECT_TRUE(table.empty());
  table.Add({"run", "amber-owl"});
  table.Add({"dataset", "iris@1"});
  EXPECT_FALSE(table.empty());
  EXPECT_EQ(table.ToString(),
            "run      amber-owl\n"
            "dataset  iris@1\n");
}

TEST(TableTest, WhereTheTerminalIsNarrowTextGoesOnBelow) {
  Table table({"COLUMN", ">ROWS", "WHY"});
  table.Add({"petal width (cm)", "150", "all of the values are numbers, größer"});
  EXPECT_EQ(table.ToString({.columns = 44}),
            "COLUMN            ROWS  WHY\n"
            "petal width (cm)   150  all of the values\n"
            "                        are numbers, größer\n");
  EXPECT_EQ(table.ToString({.piped = true, .columns = 44}),
            "petal width (cm)\t150\tall of the values are numbers, größer\n");
}

TEST(TableTest, ATextWithoutBlanksIsCutAtTheEdge) {
  EXPECT_EQ(Wrapped("abcdefgh ij", 5), (std::vector<std::string>{"abcde", "fgh", "ij"}));
  EXPECT_EQ(Wrapped("", 5), std::vector<std::string>{""});
  EXPECT_EQ(Wrapped("größe x", 5), (std::vector<std::string>{"größe", "x"}));
}

TEST(TableTest, HeadingsAloneAreALine) {
  EXPECT_EQ(Table({"NAME", ">ROWS"}).ToString(), "NAME  ROWS\n");
}

TEST(TableTest, WidthsCountCharacters) {
  EXPECT_EQ(Width("Größe"), 5U);
  Table table;
  table.Add({"Größe", "1"});
  table.Add({"abcde", "2"});
  EXPECT_EQ(table.ToString(), "Größe  1\nabcde  2\n");
}

TEST(TableTest, AnotherProgramGetsTabsAndNoHeadings) {
  Table table({"NAME", ">ROWS", "+LABEL", "WHAT"});
  table.Add({"iris", "150", "species", "flowers "});
  table.Add({"tab\there", "9", "", ""});
  EXPECT_EQ(table.ToString({.piped = true}), "iris\t150\tflowers \ntab\\x09here\t9\t\n");
  EXPECT_EQ(table.ToString({.wide = true, .piped = true}),
            "iris\t150\tspecies\tflowers \ntab\\x09here\t9\t\t\n");
  EXPECT_EQ(Table({"NAME"}).ToString({.piped = true}), "");
}

TEST(TableTest, NeitherCellsNorHeadingsSteerTheTerminal) {
  Table table({">\x1b[2J", "b\n"});
  table.Add({"\x1b]0;title\x07", "two\nlines"});
  EXPECT_EQ(table.ToString(),
            "         \\x1b[2J  b\\x0a\n"
            "\\x1b]0;title\\x07  two\\x0alines\n");
}

}  // namespace
}  // namespace millrace::cli
