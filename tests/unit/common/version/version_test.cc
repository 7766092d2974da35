#include "common/version/version.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(VersionTest, ABuildNamesItsVersionAndItsRevision) {
  EXPECT_THAT(std::string(Version()), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_THAT(std::string(BuildName()),
              testing::MatchesRegex(std::string(Version()) + "\\+([0-9a-f]+(-dirty)?|unknown)"));
}

}  // namespace
}  // namespace millrace
