#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock/clock.h"
#include "common/status/status.h"
#include "services/serving/pipeline/served_models.h"
#include "tests/unit/services/serving/small_bundle.h"

namespace millrace::serving {
namespace {

using testing::HasSubstr;

class ColdVersionsTest : public testing::Test {
 protected:
  ColdVersionsTest() { Reopen(); }

  void Reopen(std::int64_t versions_max = 1'000,
              TrafficOfNewVersions traffic = TrafficOfNewVersions::kNewest) {
    models_.reset();
    repository_.reset();
    repository_ = *Repository::Open(storage::PosixFileSystem(), folder_.path(), SystemClock());
    models_ = *ServedModels::Open(*repository_,
                                  {.models_bytes_max = versions_max * kBytes, .traffic = traffic});
  }

  absl::Status Add(const std::string& id, float weights, bool no_traffic = false) {
    v1::UploadHeader header = HeaderOf(id);
    header.set_no_traffic(no_traffic);
    return models_->Add(header, SmallBytes(weights), "ann").status();
  }

  absl::Status SetRoute(const std::string& model, const std::vector<std::int32_t>& versions) {
    v1::Route route;
    route.set_model(model);
    for (const std::int32_t version : versions) {
      v1::RouteShare& share = *route.add_shares();
      share.set_version(version);
      share.set_percent(100 / static_cast<int>(versions.size()));
    }
    return models_->SetRoute(route, "olga").status();
  }

  bool IsLoaded(const std::string& name) {
    const auto version = models_->Find(name);
    EXPECT_TRUE(version.ok()) << version.status();
    return version.ok() && *version != nullptr;
  }

  std::int32_t Serving(const std::string& model = "models/m") {
    const auto version = models_->Load(model);
    EXPECT_TRUE(version.ok()) << version.status();
    return version.ok() ? (*version)->number() : 0;
  }

  void Answer(const std::string& name) {
    (*models_->Load(name))->Answered(1, std::chrono::steady_clock::now());
  }

  static inline const std::int64_t kBytes =
      static_cast<std::int64_t>(SmallBytes().size());  // of each version
  TestFolder folder_;
  std::unique_ptr<Repository> repository_;
  std::unique_ptr<ServedModels> models_;
};

TEST_F(ColdVersionsTest, AStartLoadsWhatHasTrafficAndTheRestWhenItIsAskedFor) {
  ASSERT_TRUE(Add("m", 1).ok());
  ASSERT_TRUE(Add("m", 2).ok());
  Reopen();

  EXPECT_TRUE(IsLoaded("models/m"));
  EXPECT_FALSE(IsLoaded("models/m/versions/1"));
  EXPECT_EQ((*models_->Load("models/m/versions/1"))->number(), 1);
  EXPECT_TRUE(IsLoaded("models/m/versions/1"));
  EXPECT_EQ(models_->Load("models/m/versions/3").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(models_->Load("models/n").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ColdVersionsTest, ManyWhoAskAtOnceGetTheSameOne) {
  ASSERT_TRUE(Add("m", 1).ok());
  ASSERT_TRUE(Add("m", 2).ok());
  Reopen();
  std::vector<std::shared_ptr<const ServedVersion>> got(8);
  std::vector<std::thread> callers;
  callers.reserve(got.size());
  for (auto& one : got) {
    callers.emplace_back([&] { one = *models_->Load("m", "1"); });
  }
  for (std::thread& caller : callers) {
    caller.join();
  }
  for (const auto& one : got) {
    EXPECT_EQ(one, got[0]);
  }
}

TEST_F(ColdVersionsTest, WhatWasUsedLeastRecentlyGoesAndWhatHasTrafficStays) {
  for (const float weights : {1.0F, 2.0F, 3.0F, 4.0F}) {
    ASSERT_TRUE(Add("m", weights).ok());
  }
  Reopen(/*versions_max=*/3);  // version 4 has the traffic
  Answer("models/m/versions/1");
  Answer("models/m/versions/2");
  Answer("models/m/versions/1");

  Answer("models/m/versions/3");

  EXPECT_FALSE(IsLoaded("models/m/versions/2"));
  EXPECT_TRUE(IsLoaded("models/m/versions/1"));
  EXPECT_TRUE(IsLoaded("models/m/versions/4"));
}

TEST_F(ColdVersionsTest, WhatHasNoRoomIsRefusedAndNothingElseSuffers) {
  ASSERT_TRUE(Add("m", 1).ok());
  ASSERT_TRUE(Add("n", 1).ok());
  Reopen(/*versions_max=*/2);

  const absl::Status refused = Add("o", 1);

  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(Message(refused)), HasSubstr("are taken by versions with traffic"));
  EXPECT_THAT(Fix(refused), HasSubstr("limits.models_bytes_max"));
  EXPECT_TRUE(IsLoaded("models/m"));
  EXPECT_TRUE(IsLoaded("models/n"));
  EXPECT_EQ(models_->Find("models/o").status().code(), absl::StatusCode::kNotFound);
  v1::UploadHeader header = HeaderOf("o");
  header.set_size_bytes(kBytes);
  EXPECT_EQ(models_->Check(header).code(), absl::StatusCode::kResourceExhausted)
      << "before its bytes are sent";
  ASSERT_TRUE(models_->Delete("models/n/versions/1").ok());
  EXPECT_TRUE(models_->Check(header).ok());
  EXPECT_TRUE(Add("o", 1).ok());
}

TEST_F(ColdVersionsTest, AVersionThatARouteNamesIsLoadedFirst) {
  ASSERT_TRUE(Add("m", 1).ok());
  ASSERT_TRUE(Add("m", 2).ok());
  Reopen();
  ASSERT_TRUE(SetRoute("models/m", {1}).ok());
  EXPECT_TRUE(IsLoaded("models/m/versions/1"));

  Reopen(/*versions_max=*/1);
  EXPECT_EQ(SetRoute("models/m", {1, 2}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Serving(), 1);
}

TEST_F(ColdVersionsTest, DeletingTheNewestWarmsTheOneThatTakesItsTraffic) {
  ASSERT_TRUE(Add("m", 1).ok());
  ASSERT_TRUE(Add("m", 2).ok());
  Reopen();
  ASSERT_TRUE(models_->Delete("models/m/versions/2").ok());
  EXPECT_TRUE(IsLoaded("models/m"));
}

TEST_F(ColdVersionsTest, TrafficStaysWhereItIsUnlessSomebodySaysOtherwise) {
  Reopen(1'000, TrafficOfNewVersions::kKept);
  ASSERT_TRUE(Add("m", 1).ok());
  EXPECT_EQ(Serving(), 1) << "the first version serves always";
  ASSERT_TRUE(Add("m", 2).ok());
  EXPECT_EQ(Serving(), 1);
  Reopen(1'000, TrafficOfNewVersions::kKept);
  EXPECT_EQ(Serving(), 1);
  const auto changes = *repository_->RouteChanges("m", 0, 1);
  EXPECT_EQ(changes[0].caller(), "ann");
  EXPECT_EQ(changes[0].route().shares(0).version(), 1);

  ASSERT_TRUE(SetRoute("models/m", {}).ok());  // the newest, from now on
  EXPECT_EQ(Serving(), 2);
  Reopen(1'000, TrafficOfNewVersions::kKept);
  ASSERT_TRUE(Add("m", 3).ok());
  EXPECT_EQ(Serving(), 3);
  ASSERT_TRUE(Add("m", 4, /*no_traffic=*/true).ok());
  EXPECT_EQ(Serving(), 3);
}

TEST_F(ColdVersionsTest, OneUploadMayLeaveTheTrafficWhereItIs) {
  ASSERT_TRUE(Add("m", 1, /*no_traffic=*/true).ok());
  EXPECT_EQ(Serving(), 1) << "the first version serves always";
  ASSERT_TRUE(Add("m", 2, /*no_traffic=*/true).ok());
  EXPECT_EQ(Serving(), 1);
  ASSERT_TRUE(Add("m", 1, /*no_traffic=*/true).ok()) << "the same bytes again";
  ASSERT_TRUE(Add("n", 1).ok());
  ASSERT_TRUE(Add("n", 2).ok());
  EXPECT_EQ(Serving("models/n"), 2);
}

TEST_F(ColdVersionsTest, ABundleForOtherCallersIsRefusedByItsHeaderAndByItself) {
  ASSERT_TRUE(Add("m", 1).ok());
  v1::UploadHeader header = HeaderOf("m");
  const std::string other = SmallBytes(2, schema::v1::TASK_REGRESSION);

  const absl::Status refused = models_->Add(header, other).status();

  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(refused)), HasSubstr("it predicts a number"));
  header.mutable_signature()->set_label("outcome");
  EXPECT_EQ(models_->Check(header).code(), absl::StatusCode::kFailedPrecondition);
  header.set_model("models/new");
  EXPECT_TRUE(models_->Check(header).ok());
  EXPECT_THAT(std::string(Message(models_->Add(header, other).status())),
              HasSubstr("header.signature is not that of the bundle"));
  EXPECT_EQ(models_->Find("models/new").status().code(), absl::StatusCode::kNotFound);
}

using testing::AllOf;

// Models in a folder, of which not all may be loaded: what may be done in little room.
class ColdModelsTest : public testing::Test {
 protected:
  ColdModelsTest() { Reopen({}); }

  void Reopen(ServedOptions options) {
    models_.reset();
    repository_.reset();
    repository_ = *Repository::Open(storage::PosixFileSystem(), folder_.path(), SystemClock());
    models_ = *ServedModels::Open(*repository_, std::move(options));
  }

  // So that `count` small versions may be loaded.
  void ReopenFor(int count) {
    ServedOptions options;
    options.models_bytes_max = BytesOfOne() * count + BytesOfOne() / 2;
    Reopen(std::move(options));
  }

  static std::int64_t BytesOfOne() { return std::ssize(SmallBytes(1)); }

  absl::StatusOr<v1::ModelVersion> TryAdd(const std::string& id, float weights) {
    return models_->Add(HeaderOf(id), SmallBytes(weights), "ann");
  }

  void Add(const std::string& id, float weights) {
    const auto version = TryAdd(id, weights);
    ASSERT_TRUE(version.ok()) << version.status();
  }

  [[nodiscard]] bool IsLoaded(const std::string& name) const {
    const auto version = models_->Find(name);
    EXPECT_TRUE(version.ok()) << name << ": " << version.status();
    return version.ok() && *version != nullptr;
  }

  absl::Status SetRoute(const std::string& id, const std::vector<std::pair<int, int>>& shares) {
    v1::Route route;
    route.set_model("models/" + id);
    for (const auto& [version, percent] : shares) {
      v1::RouteShare& share = *route.add_shares();
      share.set_version(version);
      share.set_percent(percent);
    }
    return models_->SetRoute(route).status();
  }

  void DamageBlob(const std::string& sha256) {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(fmt::format("{}/blobs", folder_.path()))) {
      if (entry.is_regular_file() &&
          entry.path().string().find(sha256.substr(4)) != std::string::npos) {
        std::filesystem::resize_file(entry.path(), 40);
      }
    }
  }

  TestFolder folder_;
  std::unique_ptr<Repository> repository_;
  std::unique_ptr<ServedModels> models_;
};

TEST_F(ColdModelsTest, AnUploadWithoutAPlaceIsRefusedWithBytesAndLimit) {
  Add("a", 1);
  Add("b", 2);
  ReopenFor(2);
  v1::UploadHeader header = HeaderOf("c");
  header.set_size_bytes(BytesOfOne());

  for (const absl::Status& refused : {models_->Check(header), TryAdd("c", 3).status()}) {
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
    EXPECT_THAT(std::string(Message(refused)),
                AllOf(HasSubstr(std::to_string(BytesOfOne())),
                      HasSubstr(std::to_string(BytesOfOne() * 2 + BytesOfOne() / 2))));
    EXPECT_THAT(Fix(refused), HasSubstr("limits.models_bytes_max"));
  }
  EXPECT_TRUE(IsLoaded("models/a"));
  EXPECT_TRUE(IsLoaded("models/b"));
}

TEST_F(ColdModelsTest, TheLimitHoldsToTheByte) {
  Add("a", 1);
  for (const std::int64_t less : {1, 0, -1}) {
    ServedOptions options;
    options.models_bytes_max = 2 * BytesOfOne() - less;
    Reopen(std::move(options));
    const absl::Status status = TryAdd("b", 2).status();
    EXPECT_EQ(status.ok(), less <= 0) << less << ": " << status;
  }
}

// A publisher that lost the answer sends the same again, whatever room there is.
TEST_F(ColdModelsTest, TheSameBytesAgainNeedNoRoom) {
  Add("a", 1);
  Add("b", 2);
  ReopenFor(2);
  v1::UploadHeader header = HeaderOf("a");
  header.set_size_bytes(BytesOfOne());

  EXPECT_TRUE(models_->Check(header).ok());
  const auto again = TryAdd("a", 1);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->name(), "models/a/versions/1");
}

TEST_F(ColdModelsTest, AskingWhetherABundleHasAPlaceUnloadsNothing) {
  Add("m", 1);
  Add("m", 2);
  ReopenFor(2);
  ASSERT_TRUE(models_->Load("m", "1").ok());
  v1::UploadHeader header = HeaderOf("n");
  header.set_size_bytes(BytesOfOne());

  EXPECT_TRUE(models_->Check(header).ok());

  EXPECT_TRUE(IsLoaded("models/m/versions/1"));
}

TEST_F(ColdModelsTest, ARouteWithoutSharesLoadsTheNewestFirst) {
  Add("m", 1);
  Add("m", 2);
  ASSERT_TRUE(SetRoute("m", {{1, 100}}).ok());
  Reopen({});
  ASSERT_FALSE(IsLoaded("models/m/versions/2"));

  ASSERT_TRUE(SetRoute("m", {}).ok());

  EXPECT_TRUE(IsLoaded("models/m"));
  EXPECT_EQ((*models_->Find("models/m"))->number(), 2);
}

TEST_F(ColdModelsTest, ARouteToWhatCannotBeLoadedChangesNothing) {
  Add("m", 1);
  Add("m", 2);
  const std::string damaged =
      models_->Get("models/m/versions/2")->manifest().lineage().bundle_sha256();
  ASSERT_TRUE(SetRoute("m", {{1, 100}}).ok());
  Reopen({});
  DamageBlob(damaged);

  EXPECT_EQ(SetRoute("m", {{2, 100}}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(SetRoute("m", {}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ((*models_->Find("models/m"))->number(), 1);
}

// Where not even all that has traffic has room, a share is not another version's.
TEST_F(ColdModelsTest, AColdShareIsNotAnsweredByAnotherVersion) {
  Add("m", 1);
  Add("m", 2);
  ASSERT_TRUE(SetRoute("m", {{1, 90}, {2, 10}}).ok());
  ReopenFor(1);
  int refused = 0;
  for (int i = 0; i < 100; ++i) {
    const auto version = models_->Find("models/m");
    ASSERT_TRUE(version.ok());
    if (*version == nullptr) {
      const auto loaded = models_->Load("models/m");
      refused += loaded.status().code() == absl::StatusCode::kResourceExhausted ? 1 : 0;
    }
  }

  EXPECT_EQ(refused, 10);
}

TEST_F(ColdModelsTest, TheBytesThatAreLoadedAreCounted) {
  ServedOptions options;
  const auto registry = options.metrics;
  Reopen(std::move(options));
  const auto loaded = [&registry] {
    for (const auto& family : registry->Collect()) {
      if (family.name == "millrace_models_loaded_bytes") {
        return static_cast<std::int64_t>(family.metric[0].gauge.value);
      }
    }
    return std::int64_t{-1};
  };
  Add("m", 1);
  const std::int64_t one = loaded();
  EXPECT_GE(one, BytesOfOne());
  Add("m", 2);
  EXPECT_EQ(loaded(), 2 * one);

  ASSERT_TRUE(models_->Delete("models/m/versions/1").ok());
  EXPECT_EQ(loaded(), one);
}

}  // namespace
}  // namespace millrace::serving
