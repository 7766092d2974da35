#include "services/serving/rpc/inference_service.h"

#include <cstring>
#include <future>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include "tests/unit/services/serving/rpc/serving_stack.h"

namespace millrace::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class InferenceServiceTest : public ServingStackTest {
 protected:
  static inference::ModelInferRequest Request(const std::vector<std::vector<float>>& rows) {
    inference::ModelInferRequest request;
    request.set_model_name("m");
    request.set_id("call-1");
    auto& input = *request.add_inputs();
    input.set_name("features");
    input.set_datatype("FP32");
    input.add_shape(static_cast<std::int64_t>(rows.size()));
    input.add_shape(4);
    std::string& raw = *request.add_raw_input_contents();
    for (const std::vector<float>& row : rows) {
      raw.append(reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float));
    }
    return request;
  }

  grpc::Status Infer(const inference::ModelInferRequest& request) {
    Call call;
    response_.Clear();
    return stack_->oip->ModelInfer(&call.context, request, &response_);
  }

  // Sends bytes that need not be a request.
  grpc::Status InferRaw(const std::string& bytes) {
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    Call call;
    std::promise<grpc::Status> ended;
    grpc::GenericStub(stack_->server->InProcessChannel())
        .UnaryCall(&call.context,
                   "/inference.GRPCInferenceService/ModelInfer",
                   {},
                   &request,
                   &response,
                   [&ended](const grpc::Status& status) { ended.set_value(status); });
    return ended.get_future().get();
  }

  // Bytes of one row of the answer, whose rows have two floats.
  std::string AnswerOf(std::size_t row) {
    return response_.raw_output_contents(0).substr(row * 8, 8);
  }

  inference::ModelInferResponse response_;
};

TEST_F(InferenceServiceTest, AnswersWithNameVersionIdAndOneRawOutput) {
  Add("m", SmallBytes(1));

  ASSERT_TRUE(Infer(Request({{0.25F, 0, 1, 0}})).ok());

  EXPECT_EQ(response_.model_name(), "m");
  EXPECT_EQ(response_.model_version(), "1");
  EXPECT_EQ(response_.id(), "call-1");
  ASSERT_EQ(response_.outputs_size(), 1);
  EXPECT_EQ(response_.outputs(0).name(), "probabilities");
  EXPECT_THAT(response_.outputs(0).shape(), ElementsAre(1, 2));
  EXPECT_FALSE(response_.outputs(0).has_contents());
  ASSERT_EQ(response_.raw_output_contents_size(), 1);
  float answers[2];
  ASSERT_EQ(response_.raw_output_contents(0).size(), sizeof answers);
  std::memcpy(answers, response_.raw_output_contents(0).data(), sizeof answers);
  EXPECT_FLOAT_EQ(answers[0] + answers[1], 1);
}

TEST_F(InferenceServiceTest, ARowHasTheSameBitsAloneFirstLastAndAmongOthers) {
  Add("m", SmallBytes(1));
  const std::vector<float> row = {0.3F, 1, 0, 0};
  ASSERT_TRUE(Infer(Request({row})).ok());
  const std::string expected = AnswerOf(0);
  for (std::size_t count = 2; count <= 200; count += 18) {
    for (const std::size_t place : {std::size_t{0}, count / 2, count - 1}) {
      std::vector<std::vector<float>> rows(count, {0.9F, 0, 0, 1});
      rows[place] = row;
      ASSERT_TRUE(Infer(Request(rows)).ok());
      ASSERT_EQ(AnswerOf(place), expected) << count << " " << place;
    }
  }
}

TEST_F(InferenceServiceTest, TypedAndRawContentsGetTheSameBits) {
  Add("m", SmallBytes(1));
  ASSERT_TRUE(Infer(Request({{0.25F, 0, 1, 0}})).ok());
  const std::string expected = AnswerOf(0);
  inference::ModelInferRequest typed = Request({});
  typed.clear_raw_input_contents();
  typed.mutable_inputs(0)->set_shape(0, 1);
  for (const float x : {0.25F, 0.0F, 1.0F, 0.0F}) {
    typed.mutable_inputs(0)->mutable_contents()->add_fp32_contents(x);
  }

  ASSERT_TRUE(Infer(typed).ok());

  EXPECT_EQ(AnswerOf(0), expected);
}

TEST_F(InferenceServiceTest, ARegressionAnswersWithItsValue) {
  Add("m", SmallBytes(1, schema::v1::TASK_REGRESSION));

  ASSERT_TRUE(Infer(Request({{0.25F, 0, 1, 0}, {0.5F, 1, 0, 0}})).ok());

  EXPECT_EQ(response_.outputs(0).name(), "value");
  EXPECT_THAT(response_.outputs(0).shape(), ElementsAre(2, 1));
}

TEST_F(InferenceServiceTest, AVersionCanBeAskedFor) {
  Add("m", SmallBytes(1));
  Add("m", SmallBytes(2));
  inference::ModelInferRequest request = Request({{0.25F, 0, 1, 0}});
  ASSERT_TRUE(Infer(request).ok());
  EXPECT_EQ(response_.model_version(), "2");

  request.set_model_version("1");
  ASSERT_TRUE(Infer(request).ok());
  EXPECT_EQ(response_.model_version(), "1");
}

TEST_F(InferenceServiceTest, AnswersErrorsWithTheirCodes) {
  Add("m", SmallBytes(1));
  inference::ModelInferRequest request = Request({{0.25F, 0, 1, 0}});
  request.set_model_name("n");
  grpc::Status status = Infer(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("there is no model 'n'"));

  request.set_model_name("m");
  request.set_model_version("9");
  EXPECT_EQ(Infer(request).error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_model_version("latest");
  EXPECT_EQ(Infer(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);

  request.clear_model_version();
  request.add_outputs()->set_name("logits");
  status = Infer(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("found 'logits'"));

  request.clear_outputs();
  request.set_raw_input_contents(0, "short");
  EXPECT_EQ(Infer(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(InferenceServiceTest, EveryCallIsCountedOnceWithItsCodeAndBytes) {
  Add("m", SmallBytes(1));
  const inference::ModelInferRequest request = Request({{0.25F, 0, 1, 0}});
  ASSERT_TRUE(Infer(request).ok());
  const std::size_t answer_bytes = response_.ByteSizeLong();
  inference::ModelInferRequest unknown;
  unknown.set_model_name("n");
  EXPECT_EQ(Infer(unknown).error_code(), grpc::StatusCode::NOT_FOUND);
  const std::string no_request = "\xff";
  const grpc::Status unparsed = InferRaw(no_request);
  EXPECT_EQ(unparsed.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(unparsed.error_message(),
            "the request cannot be parsed as inference.ModelInferRequest");
  stack_->server->Stop(std::chrono::seconds(0));  // then all is counted

  const std::string text = prometheus::TextSerializer().Serialize(stack_->metrics.Collect());
  const std::string method = R"(method="inference.GRPCInferenceService/ModelInfer"})";
  for (const std::string code : {"OK", "NOT_FOUND", "INVALID_ARGUMENT"}) {
    EXPECT_THAT(text, HasSubstr("millrace_calls_total{code=\"" + code + "\"," + method + " 1"));
  }
  EXPECT_THAT(text, HasSubstr("millrace_call_seconds_count{" + method + " 3"));
  EXPECT_THAT(text, HasSubstr("millrace_calls_in_flight{" + method + " 0"));
  EXPECT_THAT(text,
              HasSubstr(fmt::format("millrace_received_bytes_total{{{} {}",
                                    method,
                                    request.ByteSizeLong() + unknown.ByteSizeLong())));
  EXPECT_THAT(text,
              HasSubstr(fmt::format("millrace_sent_bytes_total{{{} {}", method, answer_bytes)));
}

TEST_F(InferenceServiceTest, AnExpiredDeadlineIsTold) {
  Add("m", SmallBytes(1));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
  EXPECT_EQ(stack_->oip->ModelInfer(&context, Request({{0, 0, 0, 0}}), &response_).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(InferenceServiceTest, SaysWhatIsReady) {
  Add("m", SmallBytes(1));
  Call live_call;
  inference::ServerLiveResponse live;
  ASSERT_TRUE(stack_->oip->ServerLive(&live_call.context, {}, &live).ok());
  EXPECT_TRUE(live.live());
  Call ready_call;
  inference::ServerReadyResponse ready;
  ASSERT_TRUE(stack_->oip->ServerReady(&ready_call.context, {}, &ready).ok());
  EXPECT_TRUE(ready.ready());
  for (const auto& [name, expected] : {std::pair("m", true), std::pair("n", false)}) {
    Call call;
    inference::ModelReadyRequest request;
    request.set_name(name);
    inference::ModelReadyResponse response;
    ASSERT_TRUE(stack_->oip->ModelReady(&call.context, request, &response).ok());
    EXPECT_EQ(response.ready(), expected) << name;
  }
}

TEST_F(InferenceServiceTest, DescribesServerAndModel) {
  Add("m", SmallBytes(1));
  Add("m", SmallBytes(2));
  Call server_call;
  inference::ServerMetadataResponse server;
  ASSERT_TRUE(stack_->oip->ServerMetadata(&server_call.context, {}, &server).ok());
  EXPECT_EQ(server.name(), "millrace");

  Call call;
  inference::ModelMetadataRequest request;
  request.set_name("m");
  inference::ModelMetadataResponse model;
  ASSERT_TRUE(stack_->oip->ModelMetadata(&call.context, request, &model).ok());
  EXPECT_THAT(model.versions(), ElementsAre("1", "2"));
  ASSERT_EQ(model.inputs_size(), 1);
  EXPECT_EQ(model.inputs(0).name(), "features");
  EXPECT_EQ(model.inputs(0).datatype(), "FP32");
  EXPECT_THAT(model.inputs(0).shape(), ElementsAre(-1, 4));
  ASSERT_EQ(model.outputs_size(), 1);
  EXPECT_EQ(model.outputs(0).name(), "probabilities");
  EXPECT_THAT(model.outputs(0).shape(), ElementsAre(-1, 2));
  EXPECT_EQ(model.properties_size(), 0) << "some clients know another field of this number";

  Call unknown_call;
  request.set_name("n");
  EXPECT_EQ(stack_->oip->ModelMetadata(&unknown_call.context, request, &model).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace millrace::serving
