#include "services/serving/pipeline/served_models.h"

#include <array>
#include <atomic>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock/clock.h"
#include "common/status/status.h"
#include "tests/unit/services/serving/small_bundle.h"

namespace millrace::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ServedModelsTest : public testing::Test {
 protected:
  ServedModelsTest() { Reopen(); }

  void Reopen() {
    models_.reset();
    repository_.reset();
    auto repository = Repository::Open(storage::PosixFileSystem(), folder_.path(), SystemClock());
    ASSERT_TRUE(repository.ok()) << repository.status();
    repository_ = *std::move(repository);
    auto models = ServedModels::Open(*repository_);
    ASSERT_TRUE(models.ok()) << models.status();
    models_ = *std::move(models);
  }

  std::string Add(const std::string& id, float weights) {
    const auto version = models_->Add(HeaderOf(id), SmallBytes(weights));
    EXPECT_TRUE(version.ok()) << version.status();
    return version->name();
  }

  absl::StatusOr<v1::Route> SetRoute(const std::string& model,
                                     const std::vector<std::pair<int, int>>& shares) {
    v1::Route route;
    route.set_model(model);
    for (const auto& [version, percent] : shares) {
      v1::RouteShare& share = *route.add_shares();
      share.set_version(version);
      share.set_percent(percent);
    }
    return models_->SetRoute(route);
  }

  void ExpectNotFound(const std::string& name, absl::StatusCode code, const std::string& phrase) {
    const auto version = models_->Find(name);
    EXPECT_EQ(version.status().code(), code) << name;
    EXPECT_THAT(std::string(Message(version.status())), HasSubstr(phrase));
  }

  void DamageBlobs() {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(fmt::format("{}/blobs", folder_.path()))) {
      if (entry.is_regular_file()) {
        std::filesystem::resize_file(entry.path(), 40);
      }
    }
  }

  TestFolder folder_;
  std::unique_ptr<Repository> repository_;
  std::unique_ptr<ServedModels> models_;
};

TEST_F(ServedModelsTest, TheNewestVersionAnswersUntilARouteSaysOtherwise) {
  EXPECT_EQ(Add("m", 1), "models/m/versions/1");
  EXPECT_EQ((*models_->Find("models/m"))->number(), 1);
  EXPECT_EQ(Add("m", 2), "models/m/versions/2");
  EXPECT_EQ((*models_->Find("models/m"))->number(), 2);

  ASSERT_TRUE(SetRoute("models/m", {{1, 100}}).ok());
  EXPECT_EQ((*models_->Find("models/m"))->number(), 1);
  Add("m", 3);
  EXPECT_EQ((*models_->Find("models/m"))->number(), 1) << "an upload does not move a set route";
}

TEST_F(ServedModelsTest, AVersionCanBeAskedForWhateverTheRouteSays) {
  Add("m", 1);
  Add("m", 2);

  EXPECT_EQ((*models_->Find("models/m/versions/1"))->number(), 1);
  EXPECT_EQ((*models_->Find("m", "1"))->number(), 1);
  EXPECT_EQ((*models_->Find("m", ""))->number(), 2);
}

TEST_F(ServedModelsTest, SharesAreThoseOfTheRequests) {
  Add("m", 1);
  Add("m", 2);
  ASSERT_TRUE(SetRoute("models/m", {{1, 10}, {2, 90}}).ok());

  std::map<std::int32_t, int> counts;
  for (int i = 0; i < 200; ++i) {
    ++counts[(*models_->Find("models/m"))->number()];
    ASSERT_TRUE(models_->Look("m", "").ok());  // takes no part in the shares
  }

  EXPECT_EQ(counts[1], 20);
  EXPECT_EQ(counts[2], 180);
  EXPECT_EQ((*models_->Look("m", ""))->number(), 2);
  EXPECT_EQ(models_->Get("models/m/versions/1")->traffic_percent(), 10);
  EXPECT_EQ(models_->Get("models/m")->name(), "models/m/versions/2");
}

TEST_F(ServedModelsTest, TheHeadOfAnAnswerSaysWhereItComesFrom) {
  Add("m", 1);

  const v1::PredictResponse& head = (*models_->Find("models/m"))->head();

  EXPECT_EQ(head.lineage().model_version(), "models/m/versions/1");
  EXPECT_EQ(head.lineage().run(), "runs/r-1");
  EXPECT_EQ(head.lineage().dataset_version(), "datasets/people/versions/1");
  EXPECT_EQ(head.lineage().bundle_sha256().size(), 64U);
  EXPECT_EQ(head.lineage().bundle_sha256(),
            models_->Get("models/m")->manifest().lineage().bundle_sha256());
  EXPECT_EQ(head.task(), schema::v1::TASK_BINARY);
  EXPECT_THAT(head.classes(), ElementsAre("no", "yes"));
}

// tests/data/numerics_1: a bundle of the contract of numbers before this one, and what the build
// that wrote it answered.
TEST_F(ServedModelsTest, ABundleOfTheContractBeforeIsServedWithinAMillionthAndLineageSaysSo) {
  const std::string folder = MILLRACE_SOURCE_DIR "/tests/data/numerics_1/";
  std::ostringstream bundle;
  bundle << std::ifstream(folder + "iris.bundle", std::ios::binary).rdbuf();
  const auto added = models_->Add(HeaderOf("iris"), bundle.str());
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->manifest().lineage().numerics(), 1);
  EXPECT_EQ(added->manifest().lineage().served_numerics(), 2);
  const auto version = models_->Find("models/iris");
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ((*version)->head().lineage().numerics(), 1);
  EXPECT_EQ((*version)->head().lineage().served_numerics(), 2);

  google::protobuf::RepeatedPtrField<std::string> columns;
  for (const char* name :
       {"sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"}) {
    columns.Add(name);
  }
  std::ifstream answers(folder + "answers.txt");
  int rows = 0;
  for (std::string line; std::getline(answers, line); ++rows) {
    std::istringstream numbers(line);
    google::protobuf::RepeatedPtrField<schema::v1::Row> row;
    row.Add();
    for (int i = 0; i < 4; ++i) {
      double number = 0;
      numbers >> number;
      row[0].add_values()->set_number(number);
    }
    google::protobuf::RepeatedPtrField<v1::Prediction> predictions;
    const absl::Status status = (*version)->predictor().Predict(columns, row, predictions);
    ASSERT_TRUE(status.ok()) << status;
    for (const float probability : predictions[0].probabilities()) {
      double before = 0;
      numbers >> before;
      EXPECT_NEAR(probability, before, 1e-6) << line;
    }
    EXPECT_TRUE(numbers) << line;
  }
  EXPECT_EQ(rows, 9);
}

TEST_F(ServedModelsTest, NamesThatLeadNowhereSaySo) {
  Add("m", 1);
  ExpectNotFound("models/n", absl::StatusCode::kNotFound, "there is no model 'n'");
  ExpectNotFound("models/m/versions/2", absl::StatusCode::kNotFound, "no version 2");
  ExpectNotFound("m", absl::StatusCode::kInvalidArgument, "model");
  ExpectNotFound("models/../m", absl::StatusCode::kInvalidArgument, "model");
  ExpectNotFound("", absl::StatusCode::kInvalidArgument, "model");
  for (const char* const version : {"0", "-1", "one", "1 ", "99999999999"}) {
    EXPECT_EQ(models_->Find("m", version).status().code(), absl::StatusCode::kInvalidArgument)
        << version;
  }
  EXPECT_EQ(models_->Find("m", "7").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ServedModelsTest, ARestartKeepsModelsAndRoutes) {
  Add("m", 1);
  Add("m", 2);
  ASSERT_TRUE(SetRoute("models/m", {{1, 100}}).ok());
  const std::string digest = (*models_->Find("models/m"))->head().lineage().bundle_sha256();

  Reopen();

  EXPECT_EQ((*models_->Find("models/m"))->number(), 1);
  EXPECT_EQ((*models_->Find("models/m"))->head().lineage().bundle_sha256(), digest);
  EXPECT_THAT(models_->VersionsOf("m"), ElementsAre(1, 2));
}

TEST_F(ServedModelsTest, ADamagedVersionIsNotReadyAndTheOthersServe) {
  Add("m", 1);
  DamageBlobs();
  Add("n", 2);
  Reopen();

  ExpectNotFound("models/m", absl::StatusCode::kUnavailable, "models/m/versions/1 is not ready");
  EXPECT_TRUE(models_->Find("models/n").ok());
  EXPECT_TRUE(models_->Get("models/m").ok()) << "the catalog still knows it";
  EXPECT_EQ(SetRoute("models/m", {{1, 100}}).status().code(),
            absl::StatusCode::kFailedPrecondition);

  EXPECT_EQ(Add("m", 1), "models/m/versions/1") << "uploading the same bundle repairs it";
  EXPECT_TRUE(models_->Find("models/m").ok());
}

TEST_F(ServedModelsTest, ABundleThatIsRefusedChangesNothing) {
  Add("m", 1);

  const auto refused = models_->Add(HeaderOf("m"), "not a bundle at all");
  const auto bad_id = models_->Add(HeaderOf("M/../x"), SmallBytes(2));

  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(bad_id.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(models_->VersionsOf("m"), ElementsAre(1));
}

TEST_F(ServedModelsTest, DeletingFollowsTheRoute) {
  Add("m", 1);
  Add("m", 2);
  ASSERT_TRUE(SetRoute("models/m", {{2, 100}}).ok());
  const auto used = *models_->Find("models/m/versions/1");

  EXPECT_EQ(models_->Delete("models/m/versions/2").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(models_->Delete("models/m").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(models_->Delete("models/m/versions/1").ok());
  EXPECT_EQ(models_->Delete("models/m/versions/1").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(used->number(), 1) << "a request that has it keeps it";
  EXPECT_TRUE(models_->Delete("models/m/versions/2").ok()) << "the only one";

  ExpectNotFound("models/m", absl::StatusCode::kNotFound, "there is no model 'm'");
  EXPECT_EQ(Add("m", 1), "models/m/versions/3");
}

TEST_F(ServedModelsTest, WithoutARouteDeletingTheNewestGivesItsTrafficToTheOneBefore) {
  Add("m", 1);
  Add("m", 2);

  EXPECT_TRUE(models_->Delete("models/m/versions/2").ok());

  EXPECT_EQ((*models_->Find("models/m"))->number(), 1);
}

TEST_F(ServedModelsTest, ARouteThatIsNoneChangesNothing) {
  Add("m", 1);
  Add("m", 2);
  EXPECT_EQ(SetRoute("models/n", {}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(SetRoute("n", {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SetRoute("models/m", {{1, 50}}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SetRoute("models/m", {{7, 100}}).status().code(), absl::StatusCode::kNotFound);

  EXPECT_EQ((*models_->Find("models/m"))->number(), 2);
  Reopen();
  EXPECT_EQ((*models_->Find("models/m"))->number(), 2);
}

TEST_F(ServedModelsTest, ListsInPages) {
  for (const float weights : {1.0F, 2.0F, 3.0F, 4.0F, 5.0F}) {
    Add("m", weights);
  }
  Add("n", 6);
  v1::ListModelsRequest request;
  request.set_page_size(2);
  request.set_model("models/m");
  std::vector<std::string> names;
  do {
    const auto page = models_->List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::ModelVersion& version : page->models()) {
      names.push_back(version.name());
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());

  EXPECT_THAT(names,
              ElementsAre("models/m/versions/5",
                          "models/m/versions/4",
                          "models/m/versions/3",
                          "models/m/versions/2",
                          "models/m/versions/1"));
  EXPECT_EQ(models_->List({})->models_size(), 6);
}

TEST_F(ServedModelsTest, APageOfLargeModelsEndsAtAMebibyte) {
  for (const float weights : {1.0F, 2.0F, 3.0F, 4.0F, 5.0F}) {
    model::Bundle bundle = SmallBundle(weights);
    auto& confusion = *bundle.manifest.add_evaluations()->mutable_confusion();
    confusion.Resize(200'000, 1'000);  // two bytes each
    const auto bytes = model::WriteBundle(bundle);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    ASSERT_TRUE(models_->Add(HeaderOf("m"), *bytes).ok());
  }
  v1::ListModelsRequest request;
  request.set_page_size(1'000);
  std::vector<int> sizes;
  do {
    const auto page = models_->List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    sizes.push_back(page->models_size());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());

  EXPECT_THAT(sizes, ElementsAre(2, 2, 1));
}

TEST_F(ServedModelsTest, TellsARouteAsItWasSet) {
  Add("m", 1);
  Add("m", 2);
  EXPECT_EQ(models_->GetRoute("models/m")->shares_size(), 0) << "the newest has everything";
  ASSERT_TRUE(SetRoute("models/m", {{1, 10}, {2, 90}}).ok());

  const auto route = models_->GetRoute("models/m");

  ASSERT_TRUE(route.ok()) << route.status();
  EXPECT_EQ(route->model(), "models/m");
  ASSERT_EQ(route->shares_size(), 2);
  EXPECT_EQ(route->shares(1).version(), 2);
  EXPECT_EQ(route->shares(1).percent(), 90);
  EXPECT_EQ(models_->GetRoute("models/n").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(models_->GetRoute("m").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ServedModelsTest, ARouteBelongsToAModelNotToAVersion) {
  Add("m", 1);
  const auto set = SetRoute("models/m/versions/1", {{1, 100}});
  EXPECT_EQ(set.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(set.status())), HasSubstr("route.model must be a model"));
  EXPECT_EQ(models_->GetRoute("models/m/versions/1").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ServedModelsTest, ListsTheHistoryOfARouteInPages) {
  Add("m", 1);
  Add("n", 1);
  Add("m", 2);
  ASSERT_TRUE(SetRoute("models/m", {{1, 100}}).ok());
  v1::ListRouteChangesRequest request;
  request.set_model("models/m");
  request.set_page_size(2);
  const auto newest = models_->ListRouteChanges(request);
  ASSERT_TRUE(newest.ok()) << newest.status();
  ASSERT_EQ(newest->changes_size(), 2);
  EXPECT_EQ(newest->changes(0).sequence(), 4);
  EXPECT_EQ(newest->changes(0).route().shares(0).version(), 1);
  EXPECT_EQ(newest->changes(1).sequence(), 3);

  request.set_page_token(newest->next_page_token());
  const auto oldest = models_->ListRouteChanges(request);
  ASSERT_TRUE(oldest.ok()) << oldest.status();
  ASSERT_EQ(oldest->changes_size(), 1);
  EXPECT_EQ(oldest->changes(0).sequence(), 1);
  EXPECT_EQ(oldest->next_page_token(), "");

  request.set_page_token("x");
  EXPECT_THAT(std::string(Message(models_->ListRouteChanges(request).status())),
              HasSubstr("page_token"));
  request.clear_page_token();
  request.set_model("models/o");
  EXPECT_EQ(models_->ListRouteChanges(request).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ServedModelsTest, RefusesAPageThatIsNone) {
  v1::ListModelsRequest request;
  request.set_page_size(1'001);
  EXPECT_EQ(models_->List(request).status().code(), absl::StatusCode::kInvalidArgument);
  request.set_page_size(-1);
  EXPECT_EQ(models_->List(request).status().code(), absl::StatusCode::kInvalidArgument);
  request.set_page_size(0);
  request.set_page_token("x");
  EXPECT_THAT(std::string(Message(models_->List(request).status())), HasSubstr("page_token"));
}

// Two versions with different answers change places while readers ask: every answer is wholly the
// one's or the other's, and none fails.
TEST_F(ServedModelsTest, SwappingUnderLoadNeitherFailsNorMixesAnswers) {
  Add("m", 1);
  Add("m", 2);
  const std::vector<float> x = {0.25F, 0, 1, 0};
  std::map<std::string, std::vector<float>> expected;
  for (const std::string name : {"models/m/versions/1", "models/m/versions/2"}) {
    expected[name].resize(2);
    ASSERT_TRUE((*models_->Find(name))->predictor().Infer(1, x, expected[name]).ok());
  }
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::atomic<int> answered = 0;
  const auto ask = [&] {
    std::vector<float> answers(2);
    while (!stop) {
      const auto version = models_->Find("models/m");
      const bool right = version.ok() && (*version)->predictor().Infer(1, x, answers).ok() &&
                         answers == expected.at((*version)->head().lineage().model_version());
      wrong += right ? 0 : 1;
      ++answered;
    }
  };
  std::array<std::thread, 3> readers = {std::thread(ask), std::thread(ask), std::thread(ask)};
  for (int swap = 0; swap < 60 || answered < 1'000; ++swap) {
    ASSERT_TRUE(SetRoute("models/m", {{1 + swap % 2, 100}}).ok());
  }
  stop = true;
  for (std::thread& reader : readers) {
    reader.join();
  }

  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace millrace::serving
