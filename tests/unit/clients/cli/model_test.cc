#include "clients/cli/model.h"

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "clients/cli/figures.h"
#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/clients/cli/samples.h"

namespace millrace::cli {
namespace {

using serving::v1::ListModelsRequest;
using serving::v1::ListModelsResponse;
using serving::v1::ModelVersion;
using testing::HasSubstr;
using testing::Not;

class ModelTest : public CommandTest {
 protected:
  // The list has `version`, the show too.
  void Have(const ModelVersion& version) {
    serving_.list_models = [version](const ListModelsRequest&, ListModelsResponse& response) {
      *response.add_models() = version;
      return absl::OkStatus();
    };
    serving_.get_model = [version](const serving::v1::GetModelRequest&, ModelVersion& response) {
      response = version;
      return absl::OkStatus();
    };
  }
};

TEST_F(ModelTest, AListIsATableOfVersions) {
  Have(SampleModel());
  EXPECT_EQ(Command({"model", "ls"}).out,
            "NAME    TRAFFIC     SIZE  VALIDATION  TEST             RUN        CREATED (UTC)\n"
            "iris@3    100 %  12.3 kB  -           accuracy 0.9565  amber-owl  2024-05-01 "
            "12:30:05\n");
  EXPECT_EQ(Command({"model", "ls", "-ojson"}).Json()["models"][0]["trafficPercent"], 100);
}

TEST_F(ModelTest, AListThatIsPipedHasExactSizesAndTimes) {
  Have(SampleModel());
  piped_ = true;
  EXPECT_EQ(Command({"model", "ls"}).out,
            "iris@3\t100 %\t12345\t\taccuracy 0.9565\tamber-owl\t2024-05-01T12:30:05Z\n");
  EXPECT_THAT(Command({"model", "show", "iris"}).out, HasSubstr("FEATURE ")) << "a page for people";
}

TEST_F(ModelTest, AListHasTheFigureThatFitsTheTask) {
  ModelVersion version = SampleModel();
  model::v1::Evaluation& test = *version.mutable_manifest()->mutable_evaluations(0);
  test.clear_accuracy();
  Have(version);
  EXPECT_THAT(Command({"model", "ls"}).out, HasSubstr("loss 0.0931"));
  test.set_root_mean_squared_error(1234.567);
  Have(version);
  EXPECT_THAT(Command({"model", "ls"}).out, HasSubstr("RMSE 1235"));
  version.mutable_manifest()->clear_evaluations();
  Have(version);
  EXPECT_THAT(Command({"model", "ls"}).out, HasSubstr("12.3 kB  -           -     amber-owl"));
}

TEST_F(ModelTest, AListCanBeOfOneModel) {
  std::string model;
  serving_.list_models = [&model](const ListModelsRequest& request, ListModelsResponse&) {
    model = request.model();
    return absl::OkStatus();
  };
  serving_.get_model = [](const auto&, auto&) { return absl::OkStatus(); };
  const CommandResult result = Command({"model", "ls", "iris"});
  EXPECT_EQ(model, "models/iris");
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("no models yet\nnext: millrace run start"));
}

TEST_F(ModelTest, ShowTellsFeaturesFiguresAndLineage) {
  Have(SampleModel());
  const CommandResult result = Command({"model", "show", "iris"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.out,
            "model     iris@3    100 % of the traffic, 12.3 kB\n"
            "predicts  species   setosa, virginica\n"
            "network   3 inputs  16 tanh, dropout 0.2, 2\n"
            "\n"
            "FEATURE           TYPE  INPUTS  WHEN MISSING\n"
            "petal width (cm)  real       1  1.25\n"
            "a                 real       1  1.25\n"
            "a=b               real       1  1.25\n"
            "\n"
            "SPLIT  EXAMPLES    LOSS  ACCURACY\n"
            "test         23  0.0931    0.9565\n"
            "\n" +
                ConfusionTable(SampleEvaluation(), {"setosa", "virginica"}) + "\n" +
                LineageTable(SampleLineage()));
  EXPECT_EQ(result.err, "next: millrace predict iris@3 FEATURE=VALUE ...\n");
  EXPECT_EQ(Command({"model", "show", "iris", "-ojson"}).Json()["name"], "models/iris/versions/3");
}

TEST_F(ModelTest, ShowTellsCategoriesAndRegressions) {
  ModelVersion version = SampleModel();
  schema::v1::TransformSet& transforms = *version.mutable_manifest()->mutable_transforms();
  schema::v1::FeatureTransform& city = *transforms.mutable_features(0);
  city.mutable_column()->set_type(schema::v1::COLUMN_TYPE_CATEGORY);
  city.set_category("Bonn\x1b[2J");
  city.mutable_one_hot()->add_categories("Bonn");
  city.mutable_one_hot()->add_categories("Ulm");
  transforms.mutable_label()->clear_classes();
  Have(version);
  const std::string out = Command({"model", "show", "iris"}).out;
  EXPECT_THAT(out, HasSubstr("species   a number\n"));
  EXPECT_THAT(out, HasSubstr("category       3  Bonn\\x1b[2J\n"));
  EXPECT_THAT(out, Not(HasSubstr("PREDICTED")));
}

TEST_F(ModelTest, RmWantsAVersion) {
  EXPECT_THAT(Command({"model", "rm", "iris", "--yes"}),
              FailsWith(Exit::kUsage, "'iris' does not say which version"));
}

TEST_F(ModelTest, AListOfAModelThatIsNotThereSaysSo) {
  serving_.list_models = [](const auto&, ListModelsResponse& response) {
    *response.add_models() = SampleModel();
    return absl::OkStatus();
  };
  serving_.get_model = [](const serving::v1::GetModelRequest& request, ModelVersion&) {
    return NotFound("there is no model '{}'", request.name());
  };
  EXPECT_EQ(Command({"model", "ls", "iris"}).exit, Exit::kDone);
  serving_.list_models = [](const ListModelsRequest& request, ListModelsResponse& response) {
    if (request.model().empty()) {
      *response.add_models() = SampleModel();
    }
    return absl::OkStatus();
  };
  EXPECT_THAT(Command({"model", "ls", "irsi"}),
              FailsWith(Exit::kNotFound, "fix: did you mean 'iris'?"));
}

TEST_F(ModelTest, RmTellsCallersThatTheLastVersionGoes) {
  Have(SampleModel());
  answer_ = "n\n";
  EXPECT_THAT(
      Command({"model", "rm", "iris@3"}).err,
      HasSubstr("iris@3 is the last version of iris: who asks iris for predictions will get "
                "an error\ndelete iris@3? [y/N] "));
}

TEST_F(ModelTest, RmTellsTheShareOfTheTraffic) {
  Have(SampleModel());
  serving_.list_models = [](const auto&, ListModelsResponse& response) {
    *response.add_models() = SampleModel();
    *response.add_models() = SampleModel();
    return absl::OkStatus();
  };
  EXPECT_THAT(Command({"model", "rm", "iris@3", "--dry-run"}).err,
              HasSubstr("iris@3 serves 100 % of the traffic of iris\nwould delete iris@3\n"));
}

TEST_F(ModelTest, ADryRunOfRmLooksWhetherTheVersionIsThere) {
  serving_.get_model = [](const auto&, auto&) { return NotFound("there is no version 9"); };
  EXPECT_THAT(Command({"model", "rm", "iris@9", "--dry-run"}),
              FailsWith(Exit::kNotFound, "there is no version 9"));
}

TEST_F(ModelTest, RmSaysWhatIsGone) {
  Have(SampleModel());
  serving_.delete_model_version = [](const serving::v1::DeleteModelVersionRequest& request,
                                     serving::v1::DeleteModelVersionResponse&) {
    EXPECT_EQ(request.name(), "models/iris/versions/2");
    return absl::OkStatus();
  };
  EXPECT_EQ(Command({"model", "rm", "iris@2", "--yes"}).out, "deleted iris@2\n");
  EXPECT_TRUE(Command({"model", "rm", "iris@2", "-ojson", "--yes"}).Json().is_object());
}

TEST_F(ModelTest, AVersionThatARouteNamesIsInvalidToDelete) {
  Have(SampleModel());
  serving_.delete_model_version = [](const serving::v1::DeleteModelVersionRequest&,
                                     serving::v1::DeleteModelVersionResponse&) {
    return FailedPrecondition("a route names iris@2");
  };
  EXPECT_THAT(Command({"model", "rm", "iris@2", "--yes"}),
              FailsWith(Exit::kInvalid, "a route names iris@2"));
}

TEST_F(ModelTest, AServiceThatIsDownSaysWhatToDo) {
  StopServer(serving_server_);
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"model", "ls"}, {"model", "show", "a"}, {"model", "rm", "a@1", "--yes"}}) {
    EXPECT_THAT(Command(words),
                FailsWith(Exit::kTryAgain, "fix: 'millrace up' starts it; --serving-address"));
  }
}

TEST_F(ModelTest, AServiceOfAnotherKindSaysWhatToLookAt) {
  addresses_.serving = addresses_.data;
  EXPECT_THAT(Command({"model", "ls"}),
              FailsWith(Exit::kFailed, "fix: ask the serving service: look at its address"));
}

}  // namespace
}  // namespace millrace::cli
