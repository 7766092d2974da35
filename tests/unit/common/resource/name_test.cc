#include "common/resource/name.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace {
namespace {

using testing::HasSubstr;

const std::string kDigest(64, 'a');

TEST(NameTest, IdsFollowThePattern) {
  EXPECT_TRUE(IsValidId("a"));
  EXPECT_TRUE(IsValidId("0"));
  EXPECT_TRUE(IsValidId("breast_cancer-2"));
  EXPECT_TRUE(IsValidId(std::string(63, 'z')));

  EXPECT_FALSE(IsValidId(""));
  EXPECT_FALSE(IsValidId(std::string(64, 'z')));
  EXPECT_FALSE(IsValidId("_a"));
  EXPECT_FALSE(IsValidId("-a"));
  EXPECT_FALSE(IsValidId("A"));
  EXPECT_FALSE(IsValidId("a.b"));
  EXPECT_FALSE(IsValidId("a/b"));
  EXPECT_FALSE(IsValidId(".."));
  EXPECT_FALSE(IsValidId(std::string("a\0", 2)));
  EXPECT_FALSE(IsValidId("\xC3\xA4"));
}

TEST(NameTest, ReadsACollectionAndAVersion) {
  const auto newest = ParseVersionedName("datasets", "name", "datasets/iris");
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ(newest->id, "iris");
  EXPECT_EQ(newest->version, 0);
  EXPECT_EQ(newest->sha256, "");

  const auto third = ParseVersionedName("models", "name", "models/iris/versions/3");
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_EQ(third->id, "iris");
  EXPECT_EQ(third->version, 3);

  const auto last = ParseVersionedName("models", "name", "models/iris/versions/2147483647");
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_EQ(last->version, 2147483647);
}

TEST(NameTest, OnlyDatasetsAreNamedByDigest) {
  const auto dataset =
      ParseVersionedName("datasets", "name", "datasets/iris/versions/sha256:" + kDigest);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->sha256, kDigest);
  EXPECT_EQ(dataset->version, 0);

  EXPECT_EQ(ParseVersionedName("models", "name", "models/iris/versions/sha256:" + kDigest)
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(NameTest, RefusesEverythingElseAndSaysWhatItExpected) {
  for (const std::string name : {"",
                                 "iris",
                                 "datasets",
                                 "datasets/",
                                 "dataset/iris",
                                 "models/iris",
                                 "datasets/iris/",
                                 "datasets/iris/versions",
                                 "datasets/iris/versions/",
                                 "datasets/iris/versions/0",
                                 "datasets/iris/versions/01",
                                 "datasets/iris/versions/+1",
                                 "datasets/iris/versions/-1",
                                 "datasets/iris/versions/1x",
                                 "datasets/iris/versions/2147483648",
                                 "datasets/iris/versions/1/2",
                                 "datasets/iris/version/1",
                                 "datasets/../versions/1",
                                 "datasets/iris/versions/sha256:abc"}) {
    const absl::Status status = ParseVersionedName("datasets", "dataset", name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(Message(status)),
                HasSubstr("dataset must be 'datasets/{id}' or 'datasets/{id}/versions/{number"))
        << name;
    EXPECT_THAT(std::string(Message(status)), HasSubstr("found '" + name + "'"));
    EXPECT_THAT(Fix(status), HasSubstr("1 to 63 of a-z"));
  }
}

TEST(NameTest, ADigestIsSixtyFourLowerCaseDigits) {
  for (const std::string& digest :
       {kDigest + "a", kDigest.substr(1), kDigest.substr(1) + "A", kDigest.substr(1) + "g"}) {
    EXPECT_EQ(ParseVersionedName("datasets", "name", "datasets/iris/versions/sha256:" + digest)
                  .status()
                  .code(),
              absl::StatusCode::kInvalidArgument)
        << digest;
  }
}

TEST(NameTest, ErrorsShowNoControlCharactersAndNoEndlessNames) {
  const absl::Status status =
      ParseRunName("run", "runs/\x1b[2J\n" + std::string(1'000, 'x')).status();

  EXPECT_THAT(std::string(Message(status)), HasSubstr("found 'runs/?[2J?xxx"));
  EXPECT_LT(Message(status).size(), 200U);
}

TEST(NameTest, ReadsARun) {
  const auto run = ParseRunName("run", "runs/r-1");
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(*run, "r-1");

  for (const std::string name : {"", "r-1", "runs/", "runs/a/b", "Runs/a", "runs/A"}) {
    const absl::Status status = ParseRunName("run", name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(Message(status)), HasSubstr("run must be 'runs/{id}'"));
  }
}

TEST(NameTest, ProjectsAreReserved) {
  for (const absl::Status& status :
       {ParseVersionedName("datasets", "name", "projects/a/datasets/iris").status(),
        ParseVersionedName("models", "name", "projects/").status(),
        ParseRunName("name", "projects/a/runs/r-1").status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(Message(status)),
                HasSubstr("name must not begin with 'projects/', which is reserved"));
  }
}

TEST(NameTest, WhatIsWrittenReadsBack) {
  EXPECT_EQ(CollectionName("models", "iris"), "models/iris");
  const std::string name = VersionName("models", "iris", 12);
  EXPECT_EQ(name, "models/iris/versions/12");

  const auto read = ParseVersionedName("models", "name", name);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->version, 12);
}

}  // namespace
}  // namespace millrace
