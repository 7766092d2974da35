#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
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

using testing::AllOf;
using testing::HasSubstr;

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
