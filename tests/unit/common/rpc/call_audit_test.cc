#include "common/rpc/call_audit.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include "common/clock/clock.h"
#include "common/rpc/request_id.h"
#include "common/rpc/server.h"
#include "common/status/status.h"
#include "tests/unit/common/rpc/echo_service.h"
#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::rpc {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Permissions OnlyInferChanges() {
  Permissions permissions;
  for (const char* const method :
       {"ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata"}) {
    permissions[std::string("inference.GRPCInferenceService/") + method] =
        security::Permission::kReader;
  }
  permissions["inference.GRPCInferenceService/ModelInfer"] = security::Permission::kWriter;
  return permissions;
}

class CallAuditTest : public testing::Test {
 protected:
  // A server that writes to a log on `files`; one ModelInfer and one ServerLive.
  grpc::Status Call(storage::FileSystem& files) {
    const auto log = audit::AuditLog::Open(files, SystemClock(), folder_.path());
    EXPECT_TRUE(log.ok()) << log.status();
    const auto server = Server::Start(
        {.permissions = OnlyInferChanges(), .metrics = &metrics_, .audit = log->get()},
        {&service_});
    EXPECT_TRUE(server.ok()) << server.status();
    const auto stub = inference::GRPCInferenceService::NewStub((*server)->InProcessChannel());
    grpc::ClientContext live;
    inference::ServerLiveResponse alive;
    stub->ServerLive(&live, {}, &alive);
    grpc::ClientContext context;
    SetRequestId(context, "wish-9");
    inference::ModelInferRequest request;
    request.set_id("row-1");
    inference::ModelInferResponse response;
    return stub->ModelInfer(&context, request, &response);
  }

  std::string Lines() {
    std::ostringstream text;
    text << std::ifstream(folder_.path() + "/00000001.jsonl").rdbuf();
    return text.str();
  }

  storage::TemporaryFolder folder_;
  prometheus::Registry metrics_;
  EchoService service_;
};

TEST_F(CallAuditTest, ACallThatChangesSomethingIsWrittenDownBeforeItsAnswer) {
  ASSERT_TRUE(Call(storage::PosixFileSystem()).ok());

  const std::string lines = Lines();
  EXPECT_THAT(lines,
              AllOf(HasSubstr(R"("caller":"anonymous")"),
                    HasSubstr(R"("request_id":"wish-9")"),
                    HasSubstr(R"("method":"inference.GRPCInferenceService/ModelInfer")"),
                    HasSubstr(R"("outcome":"OK")")));
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1);  // none about the reader's call
}

TEST_F(CallAuditTest, AnOutcomeIsTheCodeAndNothingThatAUserSent) {
  class Refuses final : public inference::GRPCInferenceService::CallbackService {
   public:
    grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                         const inference::ModelInferRequest* /*request*/,
                                         inference::ModelInferResponse* /*response*/) override {
      return Reply(*context,
                   WithFix(InvalidArgument("f.csv:2:76: column 'CANARYname', found 'CANARYcell'"),
                           "correct CANARYfix"));
    }
  };

  Refuses service;
  const auto log = audit::AuditLog::Open(storage::PosixFileSystem(), SystemClock(), folder_.path());
  const auto server =
      Server::Start({.permissions = OnlyInferChanges(), .audit = log->get()}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  grpc::ClientContext context;
  inference::ModelInferResponse response;
  EXPECT_THAT(inference::GRPCInferenceService::NewStub((*server)->InProcessChannel())
                  ->ModelInfer(&context, {}, &response)
                  .error_message(),
              HasSubstr("CANARYcell"));

  EXPECT_THAT(Lines(),
              AllOf(HasSubstr(R"("outcome":"INVALID_ARGUMENT")"), Not(HasSubstr("CANARY"))));
}

TEST_F(CallAuditTest, ALogThatCannotBeWrittenFailsTheCall) {
  storage::FaultyFileSystem files(/*failing=*/2);  // the file, after its folder
  const grpc::Status status = Call(files);

  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("the audit log cannot be written"));
  EXPECT_THAT(prometheus::TextSerializer().Serialize(metrics_.Collect()),
              HasSubstr(R"(millrace_calls_total{code="UNAVAILABLE",)"
                        R"(method="inference.GRPCInferenceService/ModelInfer"} 1)"));
}

TEST(ResourceOfTest, IsTheNameInTheMessageOrItsHeader) {
  inference::ModelMetadataRequest request;
  EXPECT_THAT(ResourceOf(request), IsEmpty());
  request.set_name("iris");
  EXPECT_EQ(ResourceOf(request), "iris");
  inference::ModelInferRequest other;  // has model_name, which names nothing of ours
  other.set_model_name("iris");
  EXPECT_THAT(ResourceOf(other), IsEmpty());
}

}  // namespace
}  // namespace millrace::rpc
