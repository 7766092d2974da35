#include "services/serving/rpc/serving_service.h"

#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/model/signature.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "tests/unit/services/serving/rpc/serving_stack.h"

namespace millrace::serving {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class ServingServiceTest : public ServingStackTest {
 protected:
  static v1::PredictRequest Request(int rows = 1) {
    v1::PredictRequest request;
    request.set_model("models/m");
    request.add_columns("age");
    request.add_columns("colour");
    for (int i = 0; i < rows; ++i) {
      schema::v1::Row& row = *request.add_rows();
      row.add_values()->set_number(20 + i);
      row.add_values()->set_text("red");
    }
    return request;
  }

  grpc::Status Predict(const v1::PredictRequest& request) {
    Call call;
    response_.Clear();
    return stack_->stub->Predict(&call.context, request, &response_);
  }

  grpc::Status SetRoute(const std::vector<std::pair<int, int>>& shares) {
    Call call;
    v1::SetRouteRequest request;
    request.mutable_route()->set_model("models/m");
    for (const auto& [version, percent] : shares) {
      v1::RouteShare& share = *request.mutable_route()->add_shares();
      share.set_version(version);
      share.set_percent(percent);
    }
    v1::Route route;
    return stack_->stub->SetRoute(&call.context, request, &route);
  }

  v1::PredictResponse response_;
};

TEST(ServingPermissionsTest, ReadersAskWritersBringOperatorsDecide) {
  using security::Permission;
  const auto of = [](const std::string& method) {
    return ServingService::Permissions().at("millrace.serving.v1.ServingService/" + method);
  };
  for (const char* const method :
       {"Predict", "ListModels", "GetModel", "GetRoute", "ListRouteChanges"}) {
    EXPECT_EQ(of(method), Permission::kReader) << method;
  }
  for (const char* const method : {"CheckModel", "UploadModel", "GetUpload", "DeleteUpload"}) {
    EXPECT_EQ(of(method), Permission::kWriter) << method;
  }
  for (const char* const method : {"SetRoute", "DeleteModelVersion", "ListUploads"}) {
    EXPECT_EQ(of(method), Permission::kOperator) << method;
  }
  EXPECT_EQ(InferenceService::Permissions().at("inference.GRPCInferenceService/ModelInfer"),
            Permission::kReader);
}

TEST_F(ServingServiceTest, PredictAnswersWithLineageTaskAndClasses) {
  Add("m", SmallBytes(1));

  ASSERT_TRUE(Predict(Request()).ok());

  EXPECT_EQ(response_.lineage().model_version(), "models/m/versions/1");
  EXPECT_EQ(response_.lineage().run(), "runs/r-1");
  EXPECT_EQ(response_.task(), schema::v1::TASK_BINARY);
  EXPECT_THAT(response_.classes(), ElementsAre("no", "yes"));
  ASSERT_EQ(response_.predictions_size(), 1);
  EXPECT_EQ(response_.predictions(0).probabilities_size(), 2);
}

TEST_F(ServingServiceTest, ASpellingOfMissingEqualsAMissingCell) {
  Add("m", SmallBytes(1));
  v1::PredictRequest request = Request();
  request.mutable_rows(0)->mutable_values(0)->set_text("N/A");
  ASSERT_TRUE(Predict(request).ok());
  const std::string spelled = response_.SerializeAsString();

  request.mutable_rows(0)->mutable_values(0)->Clear();
  ASSERT_TRUE(Predict(request).ok());

  EXPECT_EQ(response_.SerializeAsString(), spelled);
}

// Messages are used again from call to call; nothing of one call may be seen in the next.
TEST_F(ServingServiceTest, AnswersDoNotDependOnTheCallsBefore) {
  Add("m", SmallBytes(1));
  Add("r", SmallBytes(1, schema::v1::TASK_REGRESSION));
  ASSERT_TRUE(Predict(Request()).ok());
  const std::string one = response_.SerializeAsString();
  v1::PredictRequest regression = Request(3);
  regression.set_model("models/r");
  ASSERT_TRUE(Predict(regression).ok());
  EXPECT_EQ(response_.predictions_size(), 3);
  EXPECT_EQ(response_.classes_size(), 0);
  EXPECT_EQ(response_.predictions(0).label(), "");
  EXPECT_EQ(response_.predictions(0).probabilities_size(), 0);

  v1::PredictRequest wrong = Request();
  wrong.set_columns(0, "size");
  EXPECT_FALSE(Predict(wrong).ok());
  ASSERT_TRUE(Predict(Request(100)).ok());
  ASSERT_TRUE(Predict(Request()).ok());

  EXPECT_EQ(response_.SerializeAsString(), one);
}

TEST_F(ServingServiceTest, PredictAnswersErrorsWithCodeAndFix) {
  Add("m", SmallBytes(1));
  v1::PredictRequest request = Request();
  request.set_model("models/n");
  EXPECT_EQ(Predict(request).error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_model("m");
  EXPECT_EQ(Predict(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);

  request = Request();
  request.set_columns(1, "color");
  const grpc::Status status = Predict(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("no feature 'color'"));
  EXPECT_THAT(Fix(FromGrpcStatus(status)), HasSubstr("colour"));

  request = Request();
  request.clear_rows();
  EXPECT_THAT(Predict(request).error_message(), HasSubstr("1 to 4096 rows, found 0"));
}

TEST_F(ServingServiceTest, LargeRequestsTakeThePoolAndAreAnsweredAlike) {
  Add("m", SmallBytes(1));
  ASSERT_TRUE(Predict(Request()).ok());
  const std::string alone = response_.predictions(0).SerializeAsString();

  ASSERT_TRUE(Predict(Request(4'096)).ok());

  ASSERT_EQ(response_.predictions_size(), 4'096);
  EXPECT_EQ(response_.predictions(0).SerializeAsString(), alone);
}

TEST_F(ServingServiceTest, RoutesAndDeletesAsTheContractSays) {
  Add("m", SmallBytes(1));
  Add("m", SmallBytes(2));
  ASSERT_TRUE(SetRoute({{1, 100}}).ok());
  ASSERT_TRUE(Predict(Request()).ok());
  EXPECT_EQ(response_.lineage().model_version(), "models/m/versions/1");
  const grpc::Status status = SetRoute({{1, 99}});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("sum to 100 percent, found 99"));

  v1::DeleteModelVersionRequest request;
  v1::DeleteModelVersionResponse response;
  request.set_name("models/m/versions/1");
  Call routed;
  EXPECT_EQ(stack_->stub->DeleteModelVersion(&routed.context, request, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  request.set_name("models/m/versions/2");
  Call other;
  EXPECT_TRUE(stack_->stub->DeleteModelVersion(&other.context, request, &response).ok());
}

TEST_F(ServingServiceTest, TellsTheRouteAndItsHistory) {
  Add("m", SmallBytes(1));
  Add("m", SmallBytes(2));
  ASSERT_TRUE(SetRoute({{1, 100}}).ok());

  Call get_call;
  v1::GetRouteRequest get;
  get.set_model("models/m");
  v1::Route route;
  ASSERT_TRUE(stack_->stub->GetRoute(&get_call.context, get, &route).ok());
  ASSERT_EQ(route.shares_size(), 1);
  EXPECT_EQ(route.shares(0).version(), 1);

  Call list_call;
  v1::ListRouteChangesRequest list;
  list.set_model("models/m");
  v1::ListRouteChangesResponse response;
  ASSERT_TRUE(stack_->stub->ListRouteChanges(&list_call.context, list, &response).ok());
  ASSERT_EQ(response.changes_size(), 3);
  EXPECT_EQ(response.changes(0).caller(), "anonymous");
  EXPECT_EQ(response.changes(0).route().shares(0).version(), 1);
  EXPECT_EQ(response.changes(1).route().shares(0).version(), 2);

  Call unknown_call;
  get.set_model("models/n");
  EXPECT_EQ(stack_->stub->GetRoute(&unknown_call.context, get, &route).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServingServiceTest, EveryChangeIsInTheAuditLogWithItsCallerAndRequest) {
  const std::string audit_folder = folder_.path() + "/audit";
  const auto log = audit::AuditLog::Open(storage::PosixFileSystem(), SystemClock(), audit_folder);
  ASSERT_TRUE(log.ok()) << log.status();
  stack_.reset();
  stack_ = std::make_unique<ServingStack>(folder_.path(), 1 << 20, log->get());
  Add("m", SmallBytes(1));  // not by a call
  Call route_call;
  route_call.context.AddMetadata("x-request-id", "r-1");
  v1::SetRouteRequest set;
  set.mutable_route()->set_model("models/m");
  v1::Route route;
  ASSERT_TRUE(stack_->stub->SetRoute(&route_call.context, set, &route).ok());
  Call delete_call;
  v1::DeleteModelVersionRequest remove;
  remove.set_name("models/m/versions/9");
  v1::DeleteModelVersionResponse removed;
  ASSERT_FALSE(stack_->stub->DeleteModelVersion(&delete_call.context, remove, &removed).ok());

  std::ifstream stream(audit_folder + "/00000001.jsonl");
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  EXPECT_THAT(lines,
              ElementsAre(AllOf(HasSubstr("ServingService/SetRoute"),
                                HasSubstr(R"("caller":"anonymous")"),
                                HasSubstr(R"("request_id":"r-1")"),
                                HasSubstr(R"("resource":"models/m")"),
                                HasSubstr(R"("outcome":"OK")")),
                          AllOf(HasSubstr("ServingService/DeleteModelVersion"),
                                HasSubstr(R"("resource":"models/m/versions/9")"),
                                HasSubstr(R"("outcome":"NOT_FOUND")"))));
  stack_.reset();
}

TEST_F(ServingServiceTest, AnUploadIsInTheAuditLogAndInTheHistory) {
  const std::string audit_folder = folder_.path() + "/audit";
  const auto log = audit::AuditLog::Open(storage::PosixFileSystem(), SystemClock(), audit_folder);
  ASSERT_TRUE(log.ok()) << log.status();
  stack_.reset();
  stack_ = std::make_unique<ServingStack>(folder_.path(), 1 << 20, log->get());
  const std::string bytes = SmallBytes(1);
  Call call;
  v1::ModelVersion version;
  const auto writer = stack_->stub->UploadModel(&call.context, &version);
  v1::UploadModelRequest message;
  message.mutable_header()->set_model("models/m");
  ASSERT_TRUE(writer->Write(message));
  message.mutable_chunk()->set_data(bytes);
  ASSERT_TRUE(writer->Write(message));
  message.mutable_close()->set_size_bytes(static_cast<std::int64_t>(bytes.size()));
  message.mutable_close()->set_sha256(storage::Sha256Of(bytes));
  ASSERT_TRUE(writer->Write(message));
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());

  std::ifstream stream(audit_folder + "/00000001.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(stream, line));
  EXPECT_THAT(line,
              AllOf(HasSubstr("ServingService/UploadModel"),
                    HasSubstr(R"("resource":"models/m/versions/1")")));
  v1::ListRouteChangesRequest list;
  list.set_model("models/m");
  EXPECT_EQ(stack_->models->ListRouteChanges(list)->changes(0).caller(), "anonymous");
  stack_.reset();
}

TEST_F(ServingServiceTest, ListsAndGetsVersions) {
  Add("m", SmallBytes(1));
  Add("m", SmallBytes(2));
  Call list_call;
  v1::ListModelsResponse list;
  ASSERT_TRUE(stack_->stub->ListModels(&list_call.context, {}, &list).ok());
  ASSERT_EQ(list.models_size(), 2);
  EXPECT_EQ(list.models(0).name(), "models/m/versions/2");
  EXPECT_EQ(list.models(0).traffic_percent(), 100);

  Call get_call;
  v1::GetModelRequest request;
  request.set_name("models/m");
  v1::ModelVersion version;
  ASSERT_TRUE(stack_->stub->GetModel(&get_call.context, request, &version).ok());
  EXPECT_EQ(version.name(), "models/m/versions/2");
  EXPECT_EQ(version.manifest().transforms().input_count(), 4);

  Call unknown_call;
  request.set_name("models/n");
  EXPECT_EQ(stack_->stub->GetModel(&unknown_call.context, request, &version).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

class CheckModelTest : public ServingStackTest {
 protected:
  grpc::Status Check(const v1::UploadHeader& header) {
    Call call;
    v1::CheckModelRequest request;
    *request.mutable_header() = header;
    v1::CheckModelResponse response;
    return stack_->stub->CheckModel(&call.context, request, &response);
  }

  // Sends `bytes` behind `header`, and how it ended.
  grpc::Status Upload(const v1::UploadHeader& header, const std::string& bytes) {
    Call call;
    v1::ModelVersion version;
    const auto writer = stack_->stub->UploadModel(&call.context, &version);
    v1::UploadModelRequest message;
    *message.mutable_header() = header;
    if (writer->Write(message)) {
      message.mutable_chunk()->set_data(bytes);
      writer->Write(message);
      message.mutable_close()->set_size_bytes(std::ssize(bytes));
      message.mutable_close()->set_sha256(storage::Sha256Of(bytes));
      writer->Write(message);
    }
    writer->WritesDone();
    return writer->Finish();
  }

  static v1::UploadHeader Announced(const std::string& id, schema::v1::Task task) {
    v1::UploadHeader header = HeaderOf(id);
    *header.mutable_signature() = model::SignatureOf(SmallBundle(1, task).manifest.transforms());
    return header;
  }
};

TEST_F(CheckModelTest, SaysBeforeTrainingWhatTheUploadWouldSay) {
  Add("m", SmallBytes(1));
  const v1::UploadHeader other = Announced("m", schema::v1::TASK_REGRESSION);

  EXPECT_TRUE(Check(Announced("m", schema::v1::TASK_BINARY)).ok());
  EXPECT_TRUE(Check(Announced("new", schema::v1::TASK_REGRESSION)).ok());
  for (const grpc::Status& status :
       {Check(other), Upload(other, SmallBytes(2, schema::v1::TASK_REGRESSION))}) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_THAT(status.error_message(), HasSubstr("predicts a number instead of two classes"));
    EXPECT_THAT(Fix(FromGrpcStatus(status)), HasSubstr("another model"));
  }
  EXPECT_EQ(Check(HeaderOf("M/x")).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(CheckModelTest, ABundleIsHeldToItsHeaderAndToTheOldestVersion) {
  Add("m", SmallBytes(1));

  EXPECT_EQ(Upload(HeaderOf("m"), SmallBytes(2, schema::v1::TASK_REGRESSION)).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION)
      << "a header may leave the signature out";
  EXPECT_EQ(
      Upload(Announced("m", schema::v1::TASK_BINARY), SmallBytes(2, schema::v1::TASK_REGRESSION))
          .error_code(),
      grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(Upload(Announced("m", schema::v1::TASK_BINARY), SmallBytes(2)).ok());
}

}  // namespace
}  // namespace millrace::serving
