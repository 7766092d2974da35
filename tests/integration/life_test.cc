// The life of the services: health and reflection, an orderly end, a new start.

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "common/rpc/channel.h"
#include "common/status/status.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/integration/long_run.h"
#include "tests/integration/raw_table.h"

namespace millrace::integration {
namespace {

using std::chrono::seconds;
using testing::IsSupersetOf;

struct Named {
  Service service;
  std::vector<std::string> names;  // of the gRPC services that it has
};

constexpr const char* kStatusService = "millrace.status.v1.StatusService";

const std::vector<Named>& AllNamed() {
  static const std::vector<Named> named{
      {Service::kData, {"millrace.data.v1.DataService", kStatusService}},
      {Service::kTraining, {"millrace.training.v1.TrainingService", kStatusService}},
      {Service::kServing,
       {"millrace.serving.v1.ServingService", "inference.GRPCInferenceService", kStatusService}}};
  return named;
}

class AnsweringTest : public LocalServicesTest, public testing::WithParamInterface<Named> {
 protected:
  static std::shared_ptr<grpc::Channel> Channel() {
    return rpc::MakeChannel(services().address(GetParam().service));
  }

  static absl::StatusOr<grpc::health::v1::HealthCheckResponse> Check(const std::string& name) {
    const auto stub = grpc::health::v1::Health::NewStub(Channel());
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(name);
    return Call(*stub, &grpc::health::v1::Health::Stub::Check, request);
  }
};

TEST_P(AnsweringTest, HealthSaysThatEachOfItsServicesServes) {
  auto names = GetParam().names;
  names.emplace_back();  // the server as a whole
  for (const std::string& name : names) {
    EXPECT_EQ(Check(name).value().status(), grpc::health::v1::HealthCheckResponse::SERVING) << name;
  }
  EXPECT_EQ(Check("millrace.roses.v1.RoseService").status().code(), absl::StatusCode::kNotFound);
}

TEST_P(AnsweringTest, ReflectionListsItsServicesAndTheirContracts) {
  const auto stub = grpc::reflection::v1::ServerReflection::NewStub(Channel());
  grpc::ClientContext context;
  rpc::SetDeadline(context, kCallMax);
  const auto stream = stub->ServerReflectionInfo(&context);
  grpc::reflection::v1::ServerReflectionRequest request;
  grpc::reflection::v1::ServerReflectionResponse response;
  request.set_list_services("");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  std::set<std::string> listed;
  for (const auto& service : response.list_services_response().service()) {
    listed.insert(service.name());
  }
  EXPECT_THAT(listed, IsSupersetOf(GetParam().names));
  for (const std::string& name : GetParam().names) {
    request.set_file_containing_symbol(name);
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_GT(response.file_descriptor_response().file_descriptor_proto_size(), 0) << name;
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

INSTANTIATE_TEST_SUITE_P(Services,
                         AnsweringTest,
                         testing::ValuesIn(AllNamed()),
                         [](const auto& test) {
                           return test.index == 0   ? "Data"
                                  : test.index == 1 ? "Training"
                                                    : "Serving";
                         });

// Each test has a stack of its own, because it ends it.
class LifeTest : public testing::Test {
 protected:
  static constexpr seconds kDrain{2};
  static constexpr seconds kMargin{3};  // a slow machine's scheduling, not a service's wait

  LifeTest() : services_(Drain()) {
    Require(services_.Start());
    clients_ = services_.Connect();
  }

  static ExtraWords Drain() {
    const std::string words = fmt::format("--drain-seconds={}", kDrain.count());
    return {.data = {words}, .serving = {words}, .training = {words}};
  }

  void Restart() {
    clients_.reset();
    Require(services_.Stop());
    Require(services_.Start());
    clients_ = services_.Connect();
  }

  training::v1::Run Get(const training::v1::Run& run) {
    training::v1::GetRunRequest request;
    request.set_name(run.name());
    return Call(clients_->training(), &TrainingStub::GetRun, request).value();
  }

  LocalServices services_;
  std::unique_ptr<Clients> clients_;
};

TEST_F(LifeTest, IdleServicesStopAtOnceWithZero) {
  for (const Service service : kServices) {
    const Ending ending = services_.Stop(service).value();
    EXPECT_EQ(ending.exit_code, 0);
    EXPECT_LT(ending.took, kDrain);
  }
}

TEST_F(LifeTest, AnImportInFlightMayEndWhileTheServiceDrains) {
  grpc::ClientContext context;
  rpc::SetDeadline(context, kCallMax);
  data::v1::DatasetVersion version;
  const ImportMessages messages =
      MessagesOf(HeaderOf("drained", "iris.csv", "species"), ReadFile("tests/data/iris.csv"), 512);
  const auto stream = clients_->data().ImportDataset(&context, &version);
  ASSERT_TRUE(stream->Write(messages[0]));
  ASSERT_TRUE(stream->Write(messages[1]));
  // An answer on the same connection: the service has the import by now.
  ASSERT_TRUE(
      Call(clients_->data(), &DataStub::ListDatasets, data::v1::ListDatasetsRequest()).ok());
  services_.AskToStop(Service::kData);
  for (auto message = messages.begin() + 2; message != messages.end(); ++message) {
    ASSERT_TRUE(stream->Write(*message));
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(version.row_count(), 149);  // one row of the file stands twice
  const Ending ending = services_.WaitForEnd(Service::kData).value();
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_LT(ending.took, kDrain + kMargin);
}

TEST_F(LifeTest, AnImportThatDoesNotEndIsCancelledAtTheDrainDeadline) {
  grpc::ClientContext context;
  rpc::SetDeadline(context, kCallMax);
  data::v1::DatasetVersion version;
  const auto stream = clients_->data().ImportDataset(&context, &version);
  ASSERT_TRUE(stream->Write(HeaderMessage(HeaderOf("stalled", "iris.csv", "species"))));
  ASSERT_TRUE(
      Call(clients_->data(), &DataStub::ListDatasets, data::v1::ListDatasetsRequest()).ok());
  const Ending ending = services_.Stop(Service::kData).value();
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_LT(ending.took, kDrain + kMargin);
  EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(LifeTest, AWatchKeepsNoServiceFromStopping) {
  Require(ImportLongData(*clients_).status());
  const auto run = StartRun(clients_->training(), LongRun("watched")).value();
  grpc::ClientContext context;
  rpc::SetDeadline(context, kCallMax);
  training::v1::WatchRunRequest request;
  request.set_name(run.name());
  const auto stream = clients_->training().WatchRun(&context, request);
  training::v1::RunEvent event;
  ASSERT_TRUE(stream->Read(&event));
  const Ending ending = services_.Stop(Service::kTraining).value();
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_LT(ending.took, kDrain + kMargin);
  while (stream->Read(&event)) {
  }
  EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(LifeTest, EverythingIsStillThereAfterARestartAndAnswersWithTheSameBits) {
  const auto pipeline = ReadExample("breast_cancer.yaml").value();
  const Trained trained = Apply(*clients_, pipeline).value();
  auto other = pipeline;
  other.mutable_training()->set_seed(99);
  Apply(*clients_, other).value();
  // The older version is preferred, against the default.
  serving::v1::SetRouteRequest route;
  route.mutable_route()->set_model(trained.run.model());
  route.mutable_route()->add_shares()->set_version(1);
  route.mutable_route()->mutable_shares(0)->set_percent(100);
  ASSERT_TRUE(Call(clients_->serving(), &ServingStub::SetRoute, route).ok());
  const auto request = RequestOf(trained.run.model(), ParseTable(FileOf(pipeline)));
  const auto before = Inventory(*clients_).value();
  const auto response = Call(clients_->serving(), &ServingStub::Predict, request).value();
  EXPECT_EQ(response.lineage().model_version(), trained.run.model_version());

  Restart();

  EXPECT_EQ(Inventory(*clients_).value(), before);
  EXPECT_EQ(BytesOf(Get(trained.run)), BytesOf(trained.run));
  const auto again = Call(clients_->serving(), &ServingStub::Predict, request).value();
  EXPECT_EQ(BytesOf(again), BytesOf(response));
  data::v1::GetDatasetRequest get;
  get.set_name(trained.version.name());
  EXPECT_EQ(BytesOf(Call(clients_->data(), &DataStub::GetDataset, get).value()),
            BytesOf(trained.version));
  // And what is made now continues the numbers.
  auto third = pipeline;
  third.mutable_training()->set_seed(100);
  EXPECT_EQ(Apply(*clients_, third).value().run.model_version(),
            trained.run.model() + "/versions/3");
}

}  // namespace
}  // namespace millrace::integration
