#include "services/serving/load/repository.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "common/storage/database.h"
#include "tests/unit/services/serving/small_bundle.h"

namespace millrace::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class FixedClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::system_clock::time_point Now() const override {
    return std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
  }
};

class RepositoryTest : public testing::Test {
 protected:
  RepositoryTest() { Reopen(); }

  void Reopen() {
    repository_.reset();
    auto opened = Repository::Open(storage::PosixFileSystem(), folder_.path(), clock_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    repository_ = *std::move(opened);
  }

  VersionRecord Add(const std::string& model, float weights) {
    const model::Bundle bundle = SmallBundle(weights);
    const auto record =
        repository_->Add(model, *model::WriteBundle(bundle), bundle.manifest, {.caller = "ann"});
    EXPECT_TRUE(record.ok()) << record.status();
    return *record;
  }

  [[nodiscard]] std::string BlobFolder() const { return fmt::format("{}/blobs", folder_.path()); }

  [[nodiscard]] std::size_t BlobCount() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(BlobFolder())) {
      count += entry.is_regular_file() ? 1U : 0U;
    }
    return count;
  }

  static v1::RouteShare Share(std::int32_t version, std::int32_t percent) {
    v1::RouteShare share;
    share.set_version(version);
    share.set_percent(percent);
    return share;
  }

  // A model's history, newest first, each as "sequence caller version:percent ...".
  std::vector<std::string> History(const std::string& model) {
    const auto changes = repository_->RouteChanges(model, 0, 100);
    EXPECT_TRUE(changes.ok()) << changes.status();
    std::vector<std::string> lines;
    for (const v1::RouteChange& change : *changes) {
      EXPECT_EQ(change.route().model(), fmt::format("models/{}", model));
      EXPECT_EQ(change.time().seconds(), 1'700'000'000);
      std::string& line =
          lines.emplace_back(fmt::format("{} {}", change.sequence(), change.caller()));
      for (const v1::RouteShare& share : change.route().shares()) {
        line += fmt::format(" {}:{}", share.version(), share.percent());
      }
    }
    return lines;
  }

  TestFolder folder_;
  FixedClock clock_;
  std::unique_ptr<Repository> repository_;
};

TEST_F(RepositoryTest, NumbersVersionsFromOneForEachModel) {
  EXPECT_EQ(Add("a", 1).number, 1);
  EXPECT_EQ(Add("a", 2).number, 2);
  EXPECT_EQ(Add("b", 1).number, 1);
  EXPECT_THAT(*repository_->Versions(), SizeIs(3));
}

TEST_F(RepositoryTest, TheSameBytesAgainAreTheSameVersion) {
  const VersionRecord first = Add("a", 1);
  Add("a", 2);

  EXPECT_EQ(Add("a", 1).number, first.number);
  EXPECT_THAT(*repository_->Versions(), SizeIs(2));
}

TEST_F(RepositoryTest, KeepsEverythingOverARestart) {
  const VersionRecord first = Add("a", 1);
  Add("a", 2);
  ASSERT_TRUE(repository_->SetRoute("a", {Share(1, 30), Share(2, 70)}, "bob").ok());

  Reopen();

  EXPECT_EQ(*repository_->Read(first), SmallBytes(1));
  const auto routes = repository_->Routes();
  ASSERT_EQ(routes->at("a").size(), 2U);
  EXPECT_EQ(routes->at("a")[1].percent(), 70);
  const auto version = repository_->Get("a", 1);
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->name(), "models/a/versions/1");
  EXPECT_EQ(version->create_time().seconds(), 1'700'000'000);
  EXPECT_EQ(version->size_bytes(), static_cast<std::int64_t>(SmallBytes(1).size()));
  EXPECT_EQ(version->manifest().lineage().bundle_sha256(), first.sha256);
}

TEST_F(RepositoryTest, NeverUsesANumberAgain) {
  Add("a", 1);
  Add("a", 2);
  ASSERT_TRUE(repository_->Delete("a", 2, "eve").ok());
  ASSERT_TRUE(repository_->Delete("a", 1, "eve").ok());
  Reopen();

  EXPECT_EQ(Add("a", 2).number, 3);
}

TEST_F(RepositoryTest, DeletesBytesWithTheLastVersionThatHasThem) {
  Add("a", 1);
  Add("b", 1);

  ASSERT_TRUE(repository_->Delete("a", 1, "eve").ok());
  EXPECT_EQ(BlobCount(), 1U);
  ASSERT_TRUE(repository_->Delete("b", 1, "eve").ok());
  EXPECT_EQ(BlobCount(), 0U);
}

TEST_F(RepositoryTest, DoesNotDeleteAVersionThatTheRouteNames) {
  Add("a", 1);
  Add("a", 2);
  ASSERT_TRUE(repository_->SetRoute("a", {Share(1, 100)}, "bob").ok());

  const absl::Status refused = repository_->Delete("a", 1, "eve");

  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(refused)),
              HasSubstr("models/a/versions/1 gets 100 percent of its model's traffic"));
  EXPECT_THAT(*repository_->Versions(), SizeIs(2));
  EXPECT_TRUE(repository_->Delete("a", 2, "eve").ok()) << "no share names it";
  EXPECT_TRUE(repository_->Delete("a", 1, "eve").ok()) << "it is the only one";
  EXPECT_THAT(*repository_->Routes(), IsEmpty());
}

TEST_F(RepositoryTest, WhatDoesNotExistIsNotFound) {
  EXPECT_EQ(repository_->Delete("a", 1, "eve").code(), absl::StatusCode::kNotFound);
  const auto version = repository_->Get("a", 1);
  EXPECT_EQ(version.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Message(version.status()), "there is no models/a/versions/1");
}

TEST_F(RepositoryTest, ListsNewestFirstAndWithoutTheLargeParts) {
  Add("a", 1);
  Add("b", 2);
  Add("a", 3);

  const auto all = repository_->List("", 0, 10);
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 3U);
  EXPECT_EQ((*all)[0].version.name(), "models/a/versions/2");
  EXPECT_EQ((*all)[2].version.name(), "models/a/versions/1");
  EXPECT_FALSE((*all)[0].version.manifest().has_transforms());
  EXPECT_EQ((*all)[0].version.manifest().lineage().run(), "runs/r-1");

  const auto older = repository_->List("a", (*all)[0].key, 10);
  ASSERT_EQ(older->size(), 1U);
  EXPECT_EQ((*older)[0].version.name(), "models/a/versions/1");
}

TEST_F(RepositoryTest, TheHistoryTellsEveryRouteAndEveryMoveOfTheTraffic) {
  Add("a", 1);
  Add("a", 2);
  Add("a", 2);  // is a/2 already
  ASSERT_TRUE(repository_->SetRoute("a", {Share(1, 100)}, "bob").ok());
  Add("a", 3);  // takes nothing
  ASSERT_TRUE(repository_->SetRoute("a", {Share(1, 10), Share(3, 90)}, "bob").ok());
  ASSERT_TRUE(repository_->Delete("a", 2, "eve").ok());
  ASSERT_TRUE(repository_->SetRoute("a", {}, "bob").ok());

  EXPECT_THAT(History("a"),
              ElementsAre("5 bob", "4 bob 1:10 3:90", "3 bob 1:100", "2 ann 2:100", "1 ann 1:100"));
}

TEST_F(RepositoryTest, DeletingTheNewestWithoutARouteIsInTheHistory) {
  Add("a", 1);
  Add("a", 2);
  Add("a", 3);
  ASSERT_TRUE(repository_->Delete("a", 2, "eve").ok()) << "had no traffic";
  ASSERT_TRUE(repository_->Delete("a", 3, "eve").ok());

  EXPECT_THAT(History("a"),
              ElementsAre("4 eve 1:100", "3 ann 3:100", "2 ann 2:100", "1 ann 1:100"));
}

TEST_F(RepositoryTest, TheHistoryOutlivesTheModelAndARestart) {
  Add("a", 1);
  Add("b", 1);
  ASSERT_TRUE(repository_->SetRoute("a", {Share(1, 100)}, "bob").ok());
  ASSERT_TRUE(repository_->Delete("a", 1, "eve").ok());
  Reopen();
  Add("a", 1);

  EXPECT_THAT(History("a"), ElementsAre("5 ann 2:100", "4 eve", "3 bob 1:100", "1 ann 1:100"));
  EXPECT_THAT(History("b"), ElementsAre("2 ann 1:100"));
}

TEST_F(RepositoryTest, ARouteThatIsNotSetIsNotInTheHistory) {
  Add("a", 1);
  EXPECT_FALSE(repository_->SetRoute("a", {Share(7, 100)}, "bob").ok()) << "no such version";
  EXPECT_FALSE(repository_->Delete("a", 7, "eve").ok());
  EXPECT_THAT(History("a"), ElementsAre("1 ann 1:100"));
}

TEST_F(RepositoryTest, TheHistoryIsReadInPagesAndOnlyOfModelsThatThereWere) {
  for (const float weights : {1.0F, 2.0F, 3.0F}) {
    Add("a", weights);
  }
  const auto page = repository_->RouteChanges("a", 3, 1);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->size(), 1U);
  EXPECT_EQ(page->front().sequence(), 2);

  const auto unknown = repository_->RouteChanges("b", 0, 10);
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Message(unknown.status())), HasSubstr("there never was a model 'b'"));
}

TEST_F(RepositoryTest, NobodyChangesTheHistory) {
  Add("a", 1);
  repository_.reset();
  // As whoever has the file may: the table itself refuses.
  auto database =
      storage::Database::Open(fmt::format("{}/models.db", folder_.path()),
                              std::vector<std::string>(Repository::Layout().catalog_version));
  ASSERT_TRUE(database.ok()) << database.status();
  for (const char* const sql :
       {"UPDATE route_changes SET caller = 'nobody'", "DELETE FROM route_changes"}) {
    const auto refused = (*database)->Query(sql);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition) << sql;
    EXPECT_THAT(std::string(Message(refused.status())), HasSubstr("a route change is never"));
  }
}

TEST_F(RepositoryTest, DamagedBytesAreDataLoss) {
  const VersionRecord record = Add("a", 1);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(BlobFolder())) {
    if (entry.is_regular_file()) {
      std::filesystem::resize_file(entry.path(), 40);
    }
  }

  EXPECT_EQ(repository_->Read(record).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Add("a", 1).number, 1) << "uploading again repairs";
  EXPECT_TRUE(repository_->Read(record).ok());
}

TEST_F(RepositoryTest, BelongsToOneProcess) {
  const auto second = Repository::Open(storage::PosixFileSystem(), folder_.path(), clock_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(RepositoryTest, BlobsWithoutACatalogAreNotCalledUnused) {
  Add("a", 1);
  repository_.reset();
  std::filesystem::remove(fmt::format("{}/models.db", folder_.path()));

  const absl::Status status =
      Repository::Open(storage::PosixFileSystem(), folder_.path(), clock_).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("models.db is missing"));
  EXPECT_EQ(BlobCount(), 1U);
}

TEST_F(RepositoryTest, TheLayoutNamesEveryBlobAndWhatNeedsIt) {
  const VersionRecord record = Add("a", 1);
  repository_.reset();
  std::filesystem::resize_file(fmt::format("{}/{}", BlobFolder(), record.sha256), 5);

  const auto report =
      state::Verify(storage::PosixFileSystem(), folder_.path(), Repository::Layout());

  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->blobs, 1);
  ASSERT_THAT(report->damage, SizeIs(1));
  EXPECT_THAT(report->damage.front(), HasSubstr(record.sha256));
  EXPECT_THAT(report->damage.front(), HasSubstr("needed by models/a/versions/1"));
}

}  // namespace
}  // namespace millrace::serving
