#include "common/rpc/peer_slots.h"

#include <gtest/gtest.h>

namespace millrace::rpc {
namespace {

TEST(PeerSlotsTest, AnAddressKeepsItsSlotWhileItHasConnections) {
  PeerSlots slots(4);
  const std::size_t ana = slots.Take("10.0.0.1");
  const std::size_t ben = slots.Take("10.0.0.2");
  EXPECT_NE(ana, ben);
  EXPECT_EQ(slots.Take("10.0.0.1"), ana);
  EXPECT_EQ(slots.PeerOf(ana), "10.0.0.1");
  EXPECT_EQ(slots.PeerOf(ben), "10.0.0.2");

  slots.GiveBack(ana);
  slots.Take("10.0.0.3");
  slots.Take("10.0.0.4");
  EXPECT_EQ(slots.PeerOf(ana), "10.0.0.1") << "one of two connections is still there";
}

TEST(PeerSlotsTest, MoreAddressesThanSlotsShareOneThatNamesNone) {
  PeerSlots slots(2);
  const std::size_t own = slots.Take("10.0.0.1");
  EXPECT_EQ(slots.Take("10.0.0.2"), 0U);
  EXPECT_EQ(slots.PeerOf(0), "several addresses");

  slots.GiveBack(0);  // changes nothing
  slots.GiveBack(own);
  EXPECT_EQ(slots.Take("10.0.0.2"), own);
  EXPECT_EQ(slots.PeerOf(own), "10.0.0.2");
}

TEST(PeerSlotsTest, OneSlotIsShared) {
  PeerSlots slots(1);
  EXPECT_EQ(slots.Take("10.0.0.1"), 0U);
  EXPECT_EQ(slots.PeerOf(0), "several addresses");
}

}  // namespace
}  // namespace millrace::rpc
