#include "common/csv/text_check.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace millrace::csv {
namespace {

using End = TextCheck::End;

struct Case {
  std::string bytes;
  End end;
};

TEST(TextCheckTest, TellsTextFromOtherBytesAtEveryPlaceInAWord) {
  const std::vector<Case> cases = {
      {"\xC3\xA4", End::kAll},
      {"\xE2\x82\xAC", End::kAll},
      {"\xF0\x9D\x84\x9E", End::kAll},
      {"\xF4\x8F\xBF\xBF", End::kAll},
      {"\xEE\x80\x80", End::kAll},
      {std::string(1, '\0'), End::kNul},
      {"\x80", End::kInvalid},
      {"\xC0\xAF", End::kInvalid},
      {"\xC1\xBF", End::kInvalid},
      {"\xE0\x9F\xBF", End::kInvalid},
      {"\xED\xA0\x80", End::kInvalid},
      {"\xF0\x8F\xBF\xBF", End::kInvalid},
      {"\xF4\x90\x80\x80", End::kInvalid},
      {"\xF5\x80\x80\x80", End::kInvalid},
      {"\xFF", End::kInvalid},
      {"\xE2\x28\xA1", End::kInvalid},
      {"\xE2\x82\x28", End::kInvalid},
      {"\xC3", End::kCut},
      {"\xE2\x82", End::kCut},
      {"\xF0\x9D\x84", End::kCut},
  };
  for (const Case& c : cases) {
    for (std::size_t before = 0; before < 20; ++before) {
      const TextCheck check = CheckText(std::string(before, 'a') + c.bytes);

      EXPECT_EQ(check.end, c.end) << before << " bytes before";
      EXPECT_EQ(check.valid_bytes, before + (c.end == End::kAll ? c.bytes.size() : 0));
    }
  }
}

TEST(TextCheckTest, FindsABadByteBetweenGoodOnes) {
  const std::string text = "plain ascii text, then \xC3\xA4, then \xFF and more of it";

  EXPECT_EQ(CheckText(text).valid_bytes, text.find('\xFF'));
  EXPECT_EQ(CheckText(text).end, End::kInvalid);
}

}  // namespace
}  // namespace millrace::csv
