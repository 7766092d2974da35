#include "common/rpc/reflection.h"

#include <set>

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "tests/unit/common/rpc/echo_service.h"

namespace millrace::rpc {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

struct V1 {
  using Service = ::grpc::reflection::v1::ServerReflection;
  using Request = ::grpc::reflection::v1::ServerReflectionRequest;
  using Response = ::grpc::reflection::v1::ServerReflectionResponse;
};

struct V1Alpha {
  using Service = ::grpc::reflection::v1alpha::ServerReflection;
  using Request = ::grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = ::grpc::reflection::v1alpha::ServerReflectionResponse;
};

template <typename Protocol>
class ReflectionTest : public testing::Test {
 protected:
  using Request = typename Protocol::Request;
  using Response = typename Protocol::Response;

  ReflectionTest() : stub_(Protocol::Service::NewStub((*server_)->InProcessChannel())) {}

  // Asks all questions on one stream.
  std::vector<Response> Ask(const std::vector<Request>& requests) {
    grpc::ClientContext context;
    SetDeadline(context, std::chrono::seconds(10));
    const auto stream = stub_->ServerReflectionInfo(&context);
    std::vector<Response> responses;
    for (const Request& request : requests) {
      Response response;
      if (stream->Write(request) && stream->Read(&response)) {
        responses.push_back(response);
      }
    }
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
    return responses;
  }

  EchoService service_;
  absl::StatusOr<std::unique_ptr<Server>> server_ = Server::Start({}, {&service_});
  std::unique_ptr<typename Protocol::Service::Stub> stub_;
};

using Protocols = testing::Types<V1, V1Alpha>;
TYPED_TEST_SUITE(ReflectionTest, Protocols);

TYPED_TEST(ReflectionTest, ListsTheServicesOfThisServerAndNoOthers) {
  typename TypeParam::Request request;
  request.set_list_services("*");

  const auto responses = this->Ask({request});

  ASSERT_EQ(responses.size(), 1U);
  std::vector<std::string> names;
  for (const auto& service : responses[0].list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names,
              UnorderedElementsAre("inference.GRPCInferenceService",
                                   "grpc.health.v1.Health",
                                   "grpc.reflection.v1.ServerReflection",
                                   "grpc.reflection.v1alpha.ServerReflection"));
}

TYPED_TEST(ReflectionTest, ServesTheFileOfASymbolFirstAndThenWhatItImports) {
  typename TypeParam::Request by_symbol;
  by_symbol.set_file_containing_symbol("inference.GRPCInferenceService.ModelInfer");
  typename TypeParam::Request by_name;
  by_name.set_file_by_filename("grpc/health/v1/health.proto");

  const auto responses = this->Ask({by_symbol, by_name});

  ASSERT_EQ(responses.size(), 2U);
  google::protobuf::FileDescriptorProto file;
  ASSERT_TRUE(
      file.ParseFromString(responses[0].file_descriptor_response().file_descriptor_proto(0)));
  EXPECT_EQ(file.name(), "inference/open_inference_grpc.proto");
  EXPECT_EQ(file.service(0).method_size(), 6);
  ASSERT_TRUE(
      file.ParseFromString(responses[1].file_descriptor_response().file_descriptor_proto(0)));
  EXPECT_EQ(file.package(), "grpc.health.v1");
}

TYPED_TEST(ReflectionTest, SendsImportsWithTheFile) {
  typename TypeParam::Request request;
  request.set_file_containing_symbol("google.rpc.Status");

  const auto responses = this->Ask({request});

  ASSERT_EQ(responses.size(), 1U);
  const auto& files = responses[0].file_descriptor_response().file_descriptor_proto();
  ASSERT_EQ(files.size(), 2);
  EXPECT_THAT(files[0], HasSubstr("google/rpc/status.proto"));
  EXPECT_THAT(files[1], HasSubstr("google/protobuf/any.proto"));
}

TYPED_TEST(ReflectionTest, AnswersAnUnknownNameWithAnErrorAndGoesOn) {
  typename TypeParam::Request unknown;
  unknown.set_file_containing_symbol("no.such.Thing");
  typename TypeParam::Request nothing;
  typename TypeParam::Request extensions;
  extensions.set_all_extension_numbers_of_type("google.protobuf.FieldOptions");

  const auto responses = this->Ask({unknown, nothing, extensions});

  ASSERT_EQ(responses.size(), 3U);
  EXPECT_EQ(responses[0].error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(responses[0].error_response().error_message(), HasSubstr("no.such.Thing"));
  EXPECT_EQ(responses[1].error_response().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(responses[2].all_extension_numbers_response().base_type_name(),
            "google.protobuf.FieldOptions");
}

}  // namespace
}  // namespace millrace::rpc
