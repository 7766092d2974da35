#include "common/status/unprintable.h"

#include <string>

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(UnprintableTest, ControlsAndMarksOfDirectionAreNotShown) {
  for (const std::string text : {"\x1b",
                                 "\x7f",
                                 "\n",
                                 "\xc2\x9b",             // C1
                                 "\xc2\xad",             // a soft hyphen
                                 "\xd8\x9c",             // U+061C
                                 "\xe2\x80\x8e",         // U+200E
                                 "\xe2\x80\xae",         // U+202E
                                 "\xe2\x80\xa8",         // a line separator
                                 "\xe2\x81\xa6",         // U+2066
                                 "\xef\xbb\xbf",         // U+FEFF
                                 "\xf3\xa0\x81\x81"}) {  // a tag
    EXPECT_EQ(UnprintableBytes(text + "x"), text.size()) << text;
    EXPECT_TRUE(HasUnprintable("a" + text));
  }
  EXPECT_EQ(UnprintableBytes(std::string(1, '\0')), 1U);
}

TEST(UnprintableTest, LettersOfAllScriptsAndBytesThatAreNoTextAreShown) {
  for (const std::string text : {"a",
                                 " ",
                                 "~",
                                 "\xc2\xa0",
                                 "\xc3\xa4",
                                 "\xe2\x82\xac",
                                 "\xd7\xa9",          // Hebrew, which needs no marks
                                 "\xf0\x9f\x98\x80",  // an emoji
                                 "\x9b",
                                 "\xc2",
                                 "\xe2\x80",
                                 "\xff",
                                 "\xe2x\xae"}) {
    EXPECT_EQ(UnprintableBytes(text), 0U) << text;
    EXPECT_FALSE(HasUnprintable(text));
  }
}

}  // namespace
}  // namespace millrace
