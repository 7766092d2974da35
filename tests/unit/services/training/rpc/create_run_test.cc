#include "services/training/rpc/create_run.h"

#include <cstdint>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/rpc/training_stack.h"

namespace millrace::training {
namespace {

using testing::HasSubstr;

class CreateRunTest : public testing::Test {
 protected:
  TrainingStack stack_;
};

TEST_F(CreateRunTest, NamesAreCheckedByTheirField) {
  stack_.Start();
  v1::CreateRunRequest request = SeedRequest();
  request.set_dataset_version("patients");
  EXPECT_THAT(stack_.Create(request),
              Fails(absl::StatusCode::kInvalidArgument, "dataset_version must be"));
  request = SeedRequest();
  request.set_model("models/../x");
  EXPECT_THAT(stack_.Create(request), Fails(absl::StatusCode::kInvalidArgument, "model must be"));
  request.set_model("models/points/versions/3");
  EXPECT_THAT(stack_.Create(request),
              Fails(absl::StatusCode::kInvalidArgument, "model must name no version"));
}

TEST_F(CreateRunTest, AWrongSpecIsToldByItsField) {
  stack_.Start();

  EXPECT_THAT(stack_.Create(SeedRequest("epochs: -3")),
              Fails(absl::StatusCode::kInvalidArgument, "training.epochs must be in"));
  EXPECT_THAT(stack_.Create(SeedRequest("threads: 65")),
              Fails(absl::StatusCode::kInvalidArgument, "training.threads must be in"));
  v1::CreateRunRequest request = SeedRequest();
  request.mutable_spec()->mutable_network()->mutable_layers(0)->mutable_dense()->set_units(0);
  EXPECT_THAT(stack_.Create(request),
              Fails(absl::StatusCode::kInvalidArgument, "network.layers[0].dense.units"));
  request.mutable_spec()->clear_network();
  EXPECT_THAT(stack_.Create(request), Fails(absl::StatusCode::kInvalidArgument, "network"));
}

TEST_F(CreateRunTest, ANetworkThatDoesNotFitTheDatasetIsRefused) {
  stack_.Start();
  v1::CreateRunRequest request = SeedRequest();
  request.mutable_spec()->mutable_network()->mutable_layers(1)->mutable_dense()->set_units(4);

  EXPECT_EQ(stack_.Create(request).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CreateRunTest, EarlyStoppingWithoutAValidationSplitIsRefused) {
  stack_.data.version().set_validation_count(0);
  stack_.Start();

  const auto created = stack_.Create(SeedRequest("early_stopping { patience: 2 }"));

  EXPECT_THAT(created, Fails(absl::StatusCode::kInvalidArgument, "validation split"));
  EXPECT_THAT(Fix(created.status()), HasSubstr("validation_fraction"));
}

TEST_F(CreateRunTest, AnUnknownDatasetIsTheDataServicesOwnError) {
  stack_.Start();
  v1::CreateRunRequest request = SeedRequest();
  request.set_dataset_version("datasets/none");

  EXPECT_THAT(stack_.Create(request),
              Fails(absl::StatusCode::kNotFound, "there is no datasets/none"));
}

TEST_F(CreateRunTest, ADataServiceThatIsAwayIsUnavailableWithinTheTimeSet) {
  // Nothing listens on the port of a server that is gone.
  const int port = rpc::Server::Start({}, {}).value()->port();
  stack_.options.data_address = "127.0.0.1:" + std::to_string(port);
  stack_.data_timeout = std::chrono::milliseconds(50);
  stack_.Start();

  const auto created = stack_.Create(SeedRequest());

  EXPECT_THAT(created, Fails(absl::StatusCode::kUnavailable, "data service did not answer"));
  EXPECT_THAT(Fix(created.status()), HasSubstr("data_address"));
}

TEST_F(CreateRunTest, TheSameRequestIdReturnsTheSameRun) {
  stack_.Start();
  v1::CreateRunRequest request = SeedRequest("epochs: 1");
  request.set_request_id("order-66");
  const std::string name = stack_.Create(request)->name();
  stack_.AwaitEnd(name);

  const auto again = stack_.Create(request);

  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->name(), name);
  EXPECT_EQ(stack_.serving.upload_count(), 1);
}

TEST_F(CreateRunTest, ARequestIdHasItsOwnAlphabetAndLength) {
  stack_.Start();
  v1::CreateRunRequest request = SeedRequest("epochs: 1");
  for (const std::string& id : {std::string("a b"), std::string("ü"), std::string(65, 'a')}) {
    request.set_request_id(id);
    EXPECT_THAT(stack_.Create(request), Fails(absl::StatusCode::kInvalidArgument, "request_id"))
        << id;
  }
  request.set_request_id(std::string(64, 'Z'));
  EXPECT_TRUE(stack_.Create(request).ok());
}

TEST_F(CreateRunTest, AFullQueueIsResourceExhausted) {
  stack_.options.runs_max = 1;
  stack_.Start();
  ASSERT_TRUE(stack_.Create(SeedRequest("epochs: 100000")).ok());
  ASSERT_TRUE(stack_.Create(SeedRequest("epochs: 100000")).ok());

  EXPECT_THAT(stack_.Create(SeedRequest("epochs: 100000")),
              Fails(absl::StatusCode::kResourceExhausted, "queue is full"));
}

TEST_F(CreateRunTest, TheDatasetsNumberedVersionAndAllDefaultsAreStored) {
  stack_.Start();
  v1::CreateRunRequest request = SeedRequest();
  request.mutable_spec()->clear_optimizer();
  const std::string name = stack_.Create(request)->name();

  const auto run = stack_.Get(name);

  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->dataset_version(), "datasets/points/versions/1");
  EXPECT_EQ(run->spec().epochs(), 20);
  EXPECT_EQ(run->spec().optimizer().adam().learning_rate(), 0.001);
  EXPECT_EQ(run->spec().loss(), model::v1::LOSS_BINARY_CROSSENTROPY);
}

TEST_F(CreateRunTest, ServingIsAskedBeforeAnybodyTrainsAndItsRefusalIsTheAnswer) {
  stack_.serving.RefuseToCheck(
      ToGrpcStatus(WithFix(FailedPrecondition("models/points learns 'side', not 'weight'"),
                           "give the model another name")),
      1);
  stack_.Start();
  v1::CreateRunRequest request = SeedRequest();
  request.set_no_traffic(true);

  const auto refused = stack_.Create(request);

  EXPECT_THAT(refused, Fails(absl::StatusCode::kFailedPrecondition, "learns 'side'"));
  EXPECT_EQ(Fix(refused.status()), "give the model another name");
  const serving::v1::UploadHeader header = stack_.serving.checked();
  EXPECT_EQ(header.model(), "models/points");
  EXPECT_TRUE(header.no_traffic());
  ASSERT_EQ(header.signature().features_size(), 2);
  EXPECT_EQ(header.signature().features(1).name(), "b");
  EXPECT_EQ(header.signature().positive_class(), "below");
  EXPECT_TRUE(stack_.Create(request)->no_traffic());
}

TEST_F(CreateRunTest, AServingServiceThatCannotSayIsPassedOver) {
  stack_.Start();
  for (const grpc::StatusCode code : {grpc::StatusCode::UNIMPLEMENTED,
                                      grpc::StatusCode::UNAVAILABLE,
                                      grpc::StatusCode::RESOURCE_EXHAUSTED,
                                      grpc::StatusCode::PERMISSION_DENIED}) {
    stack_.serving.RefuseToCheck({code, "no"}, 1);
    EXPECT_TRUE(stack_.Create(SeedRequest("epochs: 1")).ok()) << code;
  }
}

TEST_F(CreateRunTest, AServingServiceThatIsAwayIsPassedOver) {
  const int port = rpc::Server::Start({}, {}).value()->port();
  stack_.serving_address = "127.0.0.1:" + std::to_string(port);
  stack_.serving_timeout = std::chrono::milliseconds(50);
  stack_.Start();

  EXPECT_TRUE(stack_.Create(SeedRequest("epochs: 1")).ok());
}

// 41 weights with SGD, 13 units with the inputs and 10 rows a batch, 128 examples of 3 floats.
TEST_F(CreateRunTest, BytesOfARun) {
  constexpr std::int64_t kBytes = 4 * (41 * 3 + 2 * 10 * 13 + 128 * 3);
  stack_.run_bytes_max = kBytes;
  stack_.Start();
  EXPECT_TRUE(stack_.Create(SeedRequest("epochs: 1")).ok());
  stack_.Stop();
  stack_.run_bytes_max = kBytes - 1;
  stack_.Start();

  const auto refused = stack_.Create(SeedRequest("epochs: 1"));

  EXPECT_THAT(refused,
              Fails(absl::StatusCode::kInvalidArgument,
                    "needs 3068 bytes of memory, more than the 3067 that a run may take"));
  EXPECT_THAT(Fix(refused.status()), HasSubstr("run_bytes_max"));
}

// They would be carried along, into every list, and nobody could get rid of them.
TEST_F(CreateRunTest, FieldsThatNoVersionKnowsAreNotStored) {
  stack_.Start();
  v1::CreateRunRequest request = SeedRequest("epochs: 1");
  const std::string bytes(100'000, 'x');
  auto& spec = *request.mutable_spec();
  spec.GetReflection()->MutableUnknownFields(&spec)->AddLengthDelimited(999, bytes);
  auto& layer = *spec.mutable_network()->mutable_layers(0);
  layer.GetReflection()->MutableUnknownFields(&layer)->AddLengthDelimited(999, bytes);

  const auto created = stack_.Create(request);

  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_LT(stack_.Get(created->name())->ByteSizeLong(), 1'000U);
}

}  // namespace
}  // namespace millrace::training
