#include <string>

#include <gtest/gtest.h>

#include "common/config/config.h"

namespace millrace::config {
namespace {

TEST(ClosestTest, FindsTheNearestWithinAThirdOfTheWord) {
  EXPECT_EQ(Closest("epoch", {"seed", "epochs", "loss"}), "epochs");
  EXPECT_EQ(Closest("learning_rte", {"learning_rate", "momentum"}), "learning_rate");
  EXPECT_EQ(Closest("epochs", {"epochs"}), "epochs");
  EXPECT_EQ(Closest("epochs", {"seed", "loss"}), "");
  EXPECT_EQ(Closest("abcdef", {"abcdxy"}), "abcdxy") << "two of six";
  EXPECT_EQ(Closest("abcdef", {"abcxyz"}), "") << "three of six";
  EXPECT_EQ(Closest("ab", {"ac"}), "") << "a third of two is none";
}

TEST(ClosestTest, ASwapOfNeighboursIsOneEdit) {
  EXPECT_EQ(Closest("sede", {"seed"}), "seed");
  EXPECT_EQ(Closest("sgd", {"sdg"}), "sdg");
}

TEST(ClosestTest, TheFirstOfEquallyNearOnesIsTaken) {
  EXPECT_EQ(Closest("adamx", {"adamw", "adama"}), "adamw");
}

TEST(ClosestTest, BearsNothingAndTooMuch) {
  EXPECT_EQ(Closest("", {"a"}), "");
  EXPECT_EQ(Closest("a", {}), "");
  EXPECT_EQ(Closest(std::string(1'000'000, 'a'), {std::string(1'000'000, 'a')}), "");
}

}  // namespace
}  // namespace millrace::config
