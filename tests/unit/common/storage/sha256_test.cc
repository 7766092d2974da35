#include "common/storage/sha256.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace millrace::storage {
namespace {

// The examples that NIST publishes with FIPS 180-4.
TEST(Sha256Test, GivesThePublishedDigests) {
  EXPECT_EQ(ToHex(Sha256Of("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(ToHex(Sha256Of("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(ToHex(Sha256Of(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Test, DoesNotDependOnHowTheBytesCome) {
  Sha256 one;
  one.Update("a");
  one.Update("");
  Sha256 moved = std::move(one);
  moved.Update("bc");

  const std::string digest = moved.Finish();
  EXPECT_EQ(digest.size(), 32U);
  EXPECT_EQ(digest, Sha256Of("abc"));
}

TEST(Sha256Test, HexIsLowerCaseAndTwoDigitsAByte) {
  EXPECT_EQ(ToHex(""), "");
  EXPECT_EQ(ToHex(std::string("\x00\x0f\xA0\xff", 4)), "000fa0ff");
}

TEST(Sha256Test, HexIsSoManyLowerCaseDigits) {
  EXPECT_TRUE(IsHex("00af", 4));
  EXPECT_TRUE(IsHex(ToHex(Sha256Of("abc"))));
  EXPECT_FALSE(IsHex("00af"));
  EXPECT_FALSE(IsHex("00AF", 4));
  EXPECT_FALSE(IsHex("00a/", 4));
}

}  // namespace
}  // namespace millrace::storage
