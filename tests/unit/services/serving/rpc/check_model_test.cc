#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/model/signature.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "tests/unit/services/serving/rpc/serving_stack.h"

namespace millrace::serving {
namespace {

using testing::HasSubstr;

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
