#include "common/resource/page.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20U;

TEST(PageRoomTest, TakesAsManyItemsAsWereAskedFor) {
  PageRoom room(2);
  EXPECT_TRUE(room.Take(10));
  EXPECT_TRUE(room.Take(10));
  EXPECT_FALSE(room.Take(10));
}

TEST(PageRoomTest, TakesAMebibyteToItsLastByte) {
  PageRoom room(100);
  EXPECT_TRUE(room.Take(kMiB - 10));
  EXPECT_FALSE(room.Take(11));
  EXPECT_TRUE(room.Take(10));
  EXPECT_FALSE(room.Take(1));
}

TEST(PageRoomTest, AnItemThatIsLargerThanAPageIsAPage) {
  PageRoom room(100);
  EXPECT_TRUE(room.Take(5 * kMiB));
  EXPECT_FALSE(room.Take(1));
}

}  // namespace
}  // namespace millrace
