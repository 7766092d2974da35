#include "clients/cli/reference.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

TEST(ReferenceTest, ANameBecomesAResource) {
  EXPECT_EQ(FullName("datasets", "patients"), "datasets/patients");
}

TEST(ReferenceTest, AVersionFollowsTheAt) {
  EXPECT_EQ(FullName("datasets", "patients@3"), "datasets/patients/versions/3");
  EXPECT_EQ(FullName("datasets", "patients@sha256:ab"), "datasets/patients/versions/sha256:ab");
}

TEST(ReferenceTest, AFullNameStaysWhatItIs) {
  EXPECT_EQ(FullName("models", "models/iris/versions/3"), "models/iris/versions/3");
  EXPECT_EQ(FullName("models", "modelsx"), "models/modelsx");
}

TEST(ReferenceTest, WhatIsNoNameIsLeftForTheServiceToRefuse) {
  EXPECT_EQ(FullName("datasets", ""), "datasets/");
  EXPECT_EQ(FullName("datasets", "a b@"), "datasets/a b/versions/");
}

TEST(ReferenceTest, AResourceBecomesAShortName) {
  EXPECT_EQ(ShortName("datasets/patients"), "patients");
  EXPECT_EQ(ShortName("datasets/patients/versions/3"), "patients@3");
  EXPECT_EQ(ShortName("runs/amber-owl"), "amber-owl");
}

TEST(ReferenceTest, AnythingElseComesBackAsItIs) {
  EXPECT_EQ(ShortName(""), "");
  EXPECT_EQ(ShortName("patients"), "patients");
}

TEST(ReferenceTest, ShortNamesAreReadAsTheyAreWritten) {
  for (const char* const name : {"models/iris", "models/iris/versions/12"}) {
    EXPECT_EQ(FullName("models", ShortName(name)), name);
  }
}

}  // namespace
}  // namespace millrace::cli
