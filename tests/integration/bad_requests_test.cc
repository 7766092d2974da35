// Requests that cannot be met: each gets a code and a sentence, and nothing changes.

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/integration/raw_table.h"

namespace millrace::integration {
namespace {

using testing::HasSubstr;
using training::v1::CreateRunRequest;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

// Iris and its model, for all tests of a suite: none of them changes it.
class RequestsTest : public LocalServicesTest {
 protected:
  static void SetUpTestSuite() {
    LocalServicesTest::SetUpTestSuite();
    iris = ReadExample("iris.yaml").value();
    Apply(clients(), iris).value();
    iris_rows = ParseTable(FileOf(iris));
    auto header = HeaderOf("unlabelled", "iris.csv", "");
    Import(clients().data(), header, FileOf(iris)).value();
    header = HeaderOf("numbers", "iris.csv", "petal width (cm)");
    header.mutable_options()->set_train_fraction(1);
    Import(clients().data(), header, FileOf(iris)).value();
  }

  // A run that would be accepted.
  static CreateRunRequest GoodRun() { return RunRequest("datasets/iris", "iris", iris.training()); }

  // A prediction that is answered, for two rows.
  static serving::v1::PredictRequest GoodPredict() {
    return RequestOf("models/iris", iris_rows, std::vector<std::size_t>{0, 1});
  }

  static pipeline::v1::PipelineSpec iris;
  static RawTable iris_rows;
};

pipeline::v1::PipelineSpec RequestsTest::iris;
RawTable RequestsTest::iris_rows;

struct BadRun {
  const char* name;
  std::function<void(CreateRunRequest&)> spoil;
  absl::StatusCode code;
  const char* phrase;
};

void PrintTo(const BadRun& bad, std::ostream* out) {
  *out << bad.name;
}

class BadRunTest : public RequestsTest, public testing::WithParamInterface<BadRun> {};

TEST_P(BadRunTest, IsRefusedBeforeItIsQueued) {
  const auto before = Inventory(clients()).value();
  CreateRunRequest request = GoodRun();
  GetParam().spoil(request);
  const absl::Status status =
      Call(clients().training(), &TrainingStub::CreateRun, request).status();
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(std::string(Message(status)), HasSubstr(GetParam().phrase));
  EXPECT_EQ(Inventory(clients()).value(), before);
}

model::v1::Dense& LastLayer(CreateRunRequest& request) {
  return *request.mutable_spec()->mutable_network()->mutable_layers()->rbegin()->mutable_dense();
}

const std::vector<BadRun> kBadRuns{
    {"NoSuchDataset",
     [](auto& request) { request.set_dataset_version("datasets/roses"); },
     kNotFound,
     "there is no datasets/roses"},
    {"NoSuchVersion",
     [](auto& request) { request.set_dataset_version("datasets/iris/versions/9"); },
     kNotFound,
     "datasets/iris/versions/9"},
    {"DatasetThatIsNoName",
     [](auto& request) { request.set_dataset_version("iris"); },
     kInvalid,
     "dataset_version must be 'datasets/{id}'"},
    {"ModelThatIsNoName",
     [](auto& request) { request.set_model("models/Iris!"); },
     kInvalid,
     "model must be 'models/{id}'"},
    {"ModelWithAVersion",
     [](auto& request) { request.set_model("models/iris/versions/1"); },
     kInvalid,
     "model must name no version, found 'models/iris/versions/1'"},
    {"RequestIdWithASpace",
     [](auto& request) { request.set_request_id("a b"); },
     kInvalid,
     "request_id must be up to 64 characters"},
    {"DatasetWithoutALabel",
     [](auto& request) { request.set_dataset_version("datasets/unlabelled"); },
     absl::StatusCode::kFailedPrecondition,
     "the dataset has no label, so there is nothing to learn"},
    {"OutputsThatDoNotFitTheClasses",
     [](auto& request) { LastLayer(request).set_units(2); },
     kInvalid,
     "the last layer must have 3 outputs for loss categorical_crossentropy on this label, "
     "found 2"},
    {"LossThatDoesNotFitTheTask",
     [](auto& request) { request.mutable_spec()->set_loss(model::v1::LOSS_BINARY_CROSSENTROPY); },
     kInvalid,
     "loss binary_crossentropy is for a label of two classes, found a multiclass label"},
    {"ClassesForANumber",
     [](auto& request) {
       request.set_dataset_version("datasets/numbers");
       request.mutable_spec()->clear_early_stopping();
     },
     kInvalid,
     "loss categorical_crossentropy is for a label of classes, found a regression label"},
    {"EarlyStoppingWithoutValidation",
     [](auto& request) {
       request.set_dataset_version("datasets/numbers");
       request.mutable_spec()->set_loss(model::v1::LOSS_UNSPECIFIED);
       request.mutable_spec()->mutable_early_stopping()->set_patience(3);
     },
     kInvalid,
     "training.early_stopping needs a validation split, and it is empty"},
    {"NoLayers",
     [](auto& request) { request.mutable_spec()->clear_network(); },
     kInvalid,
     "network.layers must have 1 to 256 layers, found 0"},
    {"NoUnits",
     [](auto& request) { LastLayer(request).set_units(0); },
     kInvalid,
     ".units must be in [1, 65536], found 0"},
    {"SoftmaxInTheMiddle",
     [](auto& request) {
       request.mutable_spec()
           ->mutable_network()
           ->mutable_layers(0)
           ->mutable_dense()
           ->set_activation(model::v1::ACTIVATION_SOFTMAX);
     },
     kInvalid,
     "softmax is for the last layer only"},
    {"TooManyEpochs",
     [](auto& request) { request.mutable_spec()->set_epochs(100'001); },
     kInvalid,
     "training.epochs must be in [1, 100000], found 100001"},
    {"NegativeBatchSize",
     [](auto& request) { request.mutable_spec()->set_batch_size(-1); },
     kInvalid,
     "training.batch_size must be in [1, 65536], found -1"},
    {"LearningRateThatIsNoNumber",
     [](auto& request) {
       request.mutable_spec()->mutable_optimizer()->mutable_adam()->set_learning_rate(
           std::numeric_limits<double>::quiet_NaN());
     },
     kInvalid,
     "training.optimizer.adam.learning_rate must be in (0, 10]"},
    {"TooManyThreads",
     [](auto& request) { request.mutable_spec()->set_threads(65); },
     kInvalid,
     "training.threads must be in [0, 64], found 65"}};

INSTANTIATE_TEST_SUITE_P(Runs, BadRunTest, testing::ValuesIn(kBadRuns), [](const auto& test) {
  return test.param.name;
});

struct BadPredict {
  const char* name;
  std::function<void(serving::v1::PredictRequest&)> spoil;
  absl::StatusCode code;
  const char* phrase;
  const char* fix = "";
};

void PrintTo(const BadPredict& bad, std::ostream* out) {
  *out << bad.name;
}

class BadPredictTest : public RequestsTest, public testing::WithParamInterface<BadPredict> {};

TEST_P(BadPredictTest, IsRefusedAndTheNextRequestIsAnsweredAsBefore) {
  const auto before = PredictBits(clients().serving(), GoodPredict()).value();
  serving::v1::PredictRequest request = GoodPredict();
  GetParam().spoil(request);
  const absl::Status status = Call(clients().serving(), &ServingStub::Predict, request).status();
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(std::string(Message(status)), HasSubstr(GetParam().phrase));
  EXPECT_THAT(Fix(status), HasSubstr(GetParam().fix));
  EXPECT_EQ(PredictBits(clients().serving(), GoodPredict()).value(), before);
}

schema::v1::Value& SecondRowFirstCell(serving::v1::PredictRequest& request) {
  return *request.mutable_rows(1)->mutable_values(0);
}

const std::vector<BadPredict> kBadPredicts{
    {"NoSuchModel",
     [](auto& request) { request.set_model("models/roses"); },
     kNotFound,
     "there is no model 'roses'",
     "`millrace model ls` shows those that there are"},
    {"NoSuchVersion",
     [](auto& request) { request.set_model("models/iris/versions/9"); },
     kNotFound,
     "the model has no version 9"},
    {"ModelThatIsNoName",
     [](auto& request) { request.set_model("iris"); },
     kInvalid,
     "model must be 'models/{id}'"},
    {"NoSuchFeature",
     [](auto& request) { request.set_columns(0, "sepal lenght (cm)"); },
     kInvalid,
     "the model has no feature 'sepal lenght (cm)'",
     "did you mean 'sepal length (cm)'?"},
    {"FeatureTwice",
     [](auto& request) { request.set_columns(1, request.columns(0)); },
     kInvalid,
     "column 'sepal length (cm)' is named twice"},
    {"TextForANumber",
     [](auto& request) { SecondRowFirstCell(request).set_text("long"); },
     kInvalid,
     "rows[1]: column 'sepal length (cm)' is a finite number, found 'long'"},
    {"InfinityAsText",
     [](auto& request) { SecondRowFirstCell(request).set_text("inf"); },
     kInvalid,
     "rows[1]: column 'sepal length (cm)' is a finite number, found 'inf'"},
    {"Infinity",
     [](auto& request) {
       SecondRowFirstCell(request).set_number(std::numeric_limits<double>::infinity());
     },
     kInvalid,
     "rows[1]: column 'sepal length (cm)' is a finite number, found 'inf'"},
    {"NotANumber",
     [](auto& request) {
       SecondRowFirstCell(request).set_number(std::numeric_limits<double>::quiet_NaN());
     },
     kInvalid,
     "rows[1]: column 'sepal length (cm)' is a finite number, found"},
    {"MoreThanAFloatHolds",
     [](auto& request) { SecondRowFirstCell(request).set_number(1e300); },
     kInvalid,
     "rows[1]: feature 'sepal length (cm)' is out of range once scaled, found 1e+300"},
    {"CellTooFew",
     [](auto& request) { request.mutable_rows(1)->mutable_values()->RemoveLast(); },
     kInvalid,
     "rows[1]: a row must have 5 values, one a name, found 4"},
    {"NoRows",
     [](auto& request) { request.clear_rows(); },
     kInvalid,
     "a request must have 1 to 4096 rows, found 0"},
    {"TooManyRows",
     [](auto& request) {
       while (request.rows_size() < 4'097) {
         *request.add_rows() = request.rows(0);
       }
     },
     kInvalid,
     "a request must have 1 to 4096 rows, found 4097"}};

INSTANTIATE_TEST_SUITE_P(Predicts,
                         BadPredictTest,
                         testing::ValuesIn(kBadPredicts),
                         [](const auto& test) { return test.param.name; });

// Any other call, by what it answers.
struct BadCall {
  const char* name;
  std::function<absl::Status(Clients&)> call;
  absl::StatusCode code;
  const char* phrase;
};

void PrintTo(const BadCall& bad, std::ostream* out) {
  *out << bad.name;
}

class BadCallTest : public RequestsTest, public testing::WithParamInterface<BadCall> {};

TEST_P(BadCallTest, IsRefusedAndChangesNothing) {
  const auto before = Inventory(clients()).value();
  const absl::Status status = GetParam().call(clients());
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(std::string(Message(status)), HasSubstr(GetParam().phrase));
  EXPECT_EQ(Inventory(clients()).value(), before);
}

template <typename Request>
Request Named(const std::string& name) {
  Request request;
  request.set_name(name);
  return request;
}

absl::Status SetRoute(Clients& clients, const std::string& model, int version, int percent) {
  serving::v1::SetRouteRequest request;
  request.mutable_route()->set_model(model);
  auto& share = *request.mutable_route()->add_shares();
  share.set_version(version);
  share.set_percent(percent);
  return Call(clients.serving(), &ServingStub::SetRoute, request).status();
}

absl::Status CancelRun(Clients& clients, const std::string& name) {
  const auto request = Named<training::v1::CancelRunRequest>(name);
  return Call(clients.training(), &TrainingStub::CancelRun, request).status();
}

const std::vector<BadCall> kBadCalls{
    {"GetDatasetThatIsNotThere",
     [](Clients& clients) {
       const auto request = Named<data::v1::GetDatasetRequest>("datasets/roses");
       return Call(clients.data(), &DataStub::GetDataset, request).status();
     },
     kNotFound,
     "there is no datasets/roses"},
    {"DeleteDatasetThatIsNotThere",
     [](Clients& clients) {
       const auto request = Named<data::v1::DeleteDatasetRequest>("datasets/roses");
       return Call(clients.data(), &DataStub::DeleteDataset, request).status();
     },
     kNotFound,
     "there is no datasets/roses"},
    {"ReadExamplesOfADatasetThatIsNotThere",
     [](Clients& clients) {
       return ReadSplit(clients.data(), SplitRequest("datasets/roses", schema::v1::SPLIT_TEST))
           .status();
     },
     kNotFound,
     "there is no datasets/roses"},
    {"ListRunsFromAPageThatWasNeverGiven",
     [](Clients& clients) {
       training::v1::ListRunsRequest request;
       request.set_page_token("made up");
       return Call(clients.training(), &TrainingStub::ListRuns, request).status();
     },
     kInvalid,
     "page_token"},
    {"GetRunThatIsNotThere",
     [](Clients& clients) {
       const auto request = Named<training::v1::GetRunRequest>("runs/none");
       return Call(clients.training(), &TrainingStub::GetRun, request).status();
     },
     kNotFound,
     "there is no runs/none"},
    {"WatchRunThatIsNotThere",
     [](Clients& clients) { return Watch(clients.training(), "runs/none").status(); },
     kNotFound,
     "there is no runs/none"},
    {"CancelRunThatIsNotThere",
     [](Clients& clients) { return CancelRun(clients, "runs/none"); },
     kNotFound,
     "there is no runs/none"},
    {"CancelRunThatHasEnded",
     [](Clients& clients) {
       const auto runs =
           Call(clients.training(), &TrainingStub::ListRuns, training::v1::ListRunsRequest());
       return CancelRun(clients, runs.value().runs(0).name());
     },
     absl::StatusCode::kFailedPrecondition,
     "has already succeeded"},
    {"RouteToAVersionThatIsNotThere",
     [](Clients& clients) { return SetRoute(clients, "models/iris", 9, 100); },
     kNotFound,
     "route.shares[0] names a version that does not exist: 9"},
    {"RouteThatLeavesTrafficOver",
     [](Clients& clients) { return SetRoute(clients, "models/iris", 1, 99); },
     kInvalid,
     "found 99"},
    {"RouteOfAModelThatIsNotThere",
     [](Clients& clients) { return SetRoute(clients, "models/roses", 1, 100); },
     kNotFound,
     "there is no model 'roses'"},
    {"DeleteModelVersionThatIsNotThere",
     [](Clients& clients) {
       const auto request = Named<serving::v1::DeleteModelVersionRequest>("models/iris/versions/9");
       return Call(clients.serving(), &ServingStub::DeleteModelVersion, request).status();
     },
     kNotFound,
     "versions/9"}};

INSTANTIATE_TEST_SUITE_P(Calls, BadCallTest, testing::ValuesIn(kBadCalls), [](const auto& test) {
  return test.param.name;
});

TEST_F(RequestsTest, AMessageOverTheLimitIsRefusedAndOneBelowIsRead) {
  // Our own channels refuse to send so much; another client's may not.
  const auto stub = serving::v1::ServingService::NewStub(grpc::CreateChannel(
      services().address(Service::kServing), grpc::InsecureChannelCredentials()));
  auto request = GoodPredict();
  auto& cell = *request.mutable_rows(0)->mutable_values(0)->mutable_text();
  cell.assign(std::size_t{5} << 20, '1');
  const absl::Status over = Call(*stub, &ServingStub::Predict, request).status();
  EXPECT_EQ(over.code(), absl::StatusCode::kResourceExhausted) << over;
  EXPECT_THAT(std::string(Message(over)), HasSubstr("larger than max"));
  cell.assign(std::size_t{4'000'000}, 'x');
  const absl::Status below = Call(*stub, &ServingStub::Predict, request).status();
  EXPECT_EQ(below.code(), absl::StatusCode::kInvalidArgument) << below;
  EXPECT_THAT(std::string(Message(below)), HasSubstr("column 'sepal length (cm)' is"));
  EXPECT_TRUE(Call(*stub, &ServingStub::Predict, GoodPredict()).ok());
}

TEST_F(RequestsTest, ARequestIdMakesOneRunOfTwoRequests) {
  CreateRunRequest request = GoodRun();
  request.set_request_id("once-only");
  const auto first = Train(clients().training(), request).value();
  const auto second = Call(clients().training(), &TrainingStub::CreateRun, request).value();
  EXPECT_EQ(BytesOf(second), BytesOf(first));
}

}  // namespace
}  // namespace millrace::integration
