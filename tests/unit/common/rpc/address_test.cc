#include "common/rpc/address.h"

#include <gtest/gtest.h>

namespace millrace::rpc {
namespace {

TEST(AddressTest, SplitsTheHostFromItsPort) {
  EXPECT_EQ(HostOf("data:7601"), "data");
  EXPECT_EQ(HostOf("[::1]:0"), "::1");
  EXPECT_EQ(HostOf("data"), "");
  EXPECT_EQ(HostOf("data:"), "");
  EXPECT_EQ(HostOf("data:http"), "");
}

TEST(AddressTest, KnowsTheLoopback) {
  for (const char* const host : {"127.0.0.1", "127.9.9.9", "::1", "localhost"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* const host : {"0.0.0.0", "::", "128.0.0.1", "127.0.0.1.example", ""}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

TEST(AddressTest, ReachesAServerOnEveryAddressByTheLoopback) {
  EXPECT_EQ(LocalTarget("0.0.0.0:7601"), "127.0.0.1:7601");
  EXPECT_EQ(LocalTarget("[::]:7601"), "[::1]:7601");
  EXPECT_EQ(LocalTarget("127.0.0.1:7601"), "127.0.0.1:7601");
  EXPECT_EQ(LocalTarget("data:7601"), "data:7601");
}

}  // namespace
}  // namespace millrace::rpc
