// The Open Inference Protocol, as KServe and Triton clients speak it.

#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/integration/raw_table.h"

namespace millrace::integration {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kModel = "iris";
constexpr std::int64_t kInputs = 4;

// One model for all tests of a suite: none of them changes it.
class InferenceTest : public LocalServicesTest {
 protected:
  static void SetUpTestSuite() {
    LocalServicesTest::SetUpTestSuite();
    const auto pipeline = ReadExample("iris.yaml").value();
    const Trained trained = Apply(clients(), pipeline).value();
    iris_rows = ParseTable(FileOf(pipeline));
    iris_inputs = TransformRows(trained.version.transforms(), iris_rows).value();
  }

  // A request for the first `rows` rows, without their data.
  static ModelInferRequest Headed(std::int64_t rows, std::string_view datatype = "FP32") {
    ModelInferRequest request;
    request.set_model_name(kModel);
    auto& input = *request.add_inputs();
    input.set_name("features");
    input.set_datatype(std::string(datatype));
    input.add_shape(rows);
    input.add_shape(kInputs);
    return request;
  }

  static ModelInferRequest Typed(std::int64_t rows) {
    ModelInferRequest request = Headed(rows);
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto& x = iris_inputs[static_cast<std::size_t>(row)];
      request.mutable_inputs(0)->mutable_contents()->mutable_fp32_contents()->Add(x.begin(),
                                                                                  x.end());
    }
    return request;
  }

  template <typename Element>
  static std::string RawBytes(std::int64_t rows) {
    std::string bytes;
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto& x = iris_inputs[static_cast<std::size_t>(row)];
      const std::vector<Element> elements(x.begin(), x.end());
      bytes.append(reinterpret_cast<const char*>(elements.data()),
                   elements.size() * sizeof(Element));
    }
    return bytes;
  }

  static ModelInferRequest Raw(std::int64_t rows) {
    ModelInferRequest request = Headed(rows);
    *request.add_raw_input_contents() = RawBytes<float>(rows);
    return request;
  }

  static absl::StatusOr<ModelInferResponse> Infer(const ModelInferRequest& request) {
    return Call(clients().inference(), &InferenceStub::ModelInfer, request);
  }

  // What Predict says for the raw cells of the first `rows` rows, as the protocol's raw bytes.
  static std::string PredictedBytes(std::int64_t rows) {
    RawTable first = iris_rows;
    first.rows.resize(static_cast<std::size_t>(rows));
    const auto response =
        Call(clients().serving(), &ServingStub::Predict, RequestOf("models/iris", first)).value();
    std::string bytes;
    for (const serving::v1::Prediction& prediction : response.predictions()) {
      bytes.append(reinterpret_cast<const char*>(prediction.probabilities().data()),
                   static_cast<std::size_t>(prediction.probabilities_size()) * sizeof(float));
    }
    return bytes;
  }

  static RawTable iris_rows;
  static std::vector<std::vector<float>> iris_inputs;
};

RawTable InferenceTest::iris_rows;
std::vector<std::vector<float>> InferenceTest::iris_inputs;

TEST_F(InferenceTest, TheServerIsLiveReadyAndSaysWhoItIs) {
  InferenceStub& stub = clients().inference();
  EXPECT_TRUE(
      Call(stub, &InferenceStub::ServerLive, inference::ServerLiveRequest()).value().live());
  EXPECT_TRUE(
      Call(stub, &InferenceStub::ServerReady, inference::ServerReadyRequest()).value().ready());
  const auto metadata =
      Call(stub, &InferenceStub::ServerMetadata, inference::ServerMetadataRequest()).value();
  EXPECT_EQ(metadata.name(), "millrace");
  EXPECT_NE(metadata.version(), "");
}

TEST_F(InferenceTest, AModelIsReadyWhenItIsThere) {
  const auto ready = [](const std::string& name, const std::string& version) {
    inference::ModelReadyRequest request;
    request.set_name(name);
    request.set_version(version);
    return Call(clients().inference(), &InferenceStub::ModelReady, request).value().ready();
  };
  EXPECT_TRUE(ready(kModel, ""));
  EXPECT_TRUE(ready(kModel, "1"));
  EXPECT_FALSE(ready(kModel, "2"));
  EXPECT_FALSE(ready("roses", ""));
}

TEST_F(InferenceTest, MetadataNamesInputsAndOutputsWithTheirShapes) {
  inference::ModelMetadataRequest request;
  request.set_name(kModel);
  const auto metadata = Call(clients().inference(), &InferenceStub::ModelMetadata, request).value();
  EXPECT_EQ(metadata.name(), kModel);
  EXPECT_THAT(metadata.versions(), ElementsAre("1"));
  ASSERT_EQ(metadata.inputs_size(), 1);
  EXPECT_EQ(metadata.inputs(0).name(), "features");
  EXPECT_EQ(metadata.inputs(0).datatype(), "FP32");
  EXPECT_THAT(metadata.inputs(0).shape(), ElementsAre(-1, kInputs));
  ASSERT_EQ(metadata.outputs_size(), 1);
  EXPECT_EQ(metadata.outputs(0).name(), "probabilities");
  EXPECT_EQ(metadata.outputs(0).datatype(), "FP32");
  EXPECT_THAT(metadata.outputs(0).shape(), ElementsAre(-1, 3));
}

TEST_F(InferenceTest, AnAnswerHasTheNameVersionIdAndShapeOfItsRequest) {
  ModelInferRequest request = Typed(2);
  request.set_id("q-17");
  const auto response = Infer(request).value();
  EXPECT_EQ(response.model_name(), kModel);
  EXPECT_EQ(response.model_version(), "1");
  EXPECT_EQ(response.id(), "q-17");
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).name(), "probabilities");
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 3));
}

TEST_F(InferenceTest, TransformedFeaturesGiveTheBitsThatPredictGivesForRawCells) {
  for (const std::int64_t rows : {1, 2, 17, 150}) {
    const std::string expected = PredictedBytes(rows);
    EXPECT_EQ(Infer(Typed(rows)).value().raw_output_contents(0), expected) << rows;
    EXPECT_EQ(Infer(Raw(rows)).value().raw_output_contents(0), expected) << rows;
  }
}

TEST_F(InferenceTest, DoublesThatAFloatHoldsGiveTheSameBits) {
  const std::string expected = PredictedBytes(9);
  ModelInferRequest raw = Headed(9, "FP64");
  *raw.add_raw_input_contents() = RawBytes<double>(9);
  EXPECT_EQ(Infer(raw).value().raw_output_contents(0), expected);
  ModelInferRequest typed = Headed(9, "FP64");
  for (std::size_t row = 0; row < 9; ++row) {
    typed.mutable_inputs(0)->mutable_contents()->mutable_fp64_contents()->Add(
        iris_inputs[row].begin(), iris_inputs[row].end());
  }
  EXPECT_EQ(Infer(typed).value().raw_output_contents(0), expected);
}

TEST_F(InferenceTest, WhatIsNotThereIsNotFound) {
  ModelInferRequest request = Raw(1);
  request.set_model_name("roses");
  absl::Status status = Infer(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("there is no model 'roses'"));
  request = Raw(1);
  request.set_model_version("9");
  status = Infer(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("no version 9"));
  inference::ModelMetadataRequest metadata;
  metadata.set_name("roses");
  status = Call(clients().inference(), &InferenceStub::ModelMetadata, metadata).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
}

// A good request for two rows, and what is done to it.
struct BadInference {
  const char* name;
  std::function<void(ModelInferRequest&)> spoil;
  const char* phrase;
};

void PrintTo(const BadInference& bad, std::ostream* out) {
  *out << bad.name;
}

class BadInferenceTest : public InferenceTest, public testing::WithParamInterface<BadInference> {};

TEST_P(BadInferenceTest, IsRefusedWithWhatWasExpectedAndFound) {
  const std::string before = BytesOf(Infer(Raw(2)).value());
  ModelInferRequest request = Raw(2);
  GetParam().spoil(request);
  const absl::Status status = Infer(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(Message(status)), HasSubstr(GetParam().phrase));
  EXPECT_EQ(BytesOf(Infer(Raw(2)).value()), before);
}

void SetShape(ModelInferRequest& request, const std::vector<std::int64_t>& shape) {
  request.mutable_inputs(0)->mutable_shape()->Assign(shape.begin(), shape.end());
}

// Replaces raw contents by typed ones.
void SetTyped(ModelInferRequest& request, const std::vector<float>& numbers) {
  request.clear_raw_input_contents();
  request.mutable_inputs(0)->mutable_contents()->mutable_fp32_contents()->Assign(numbers.begin(),
                                                                                 numbers.end());
}

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

const std::vector<BadInference> kBadInferences{
    {"NoInput",
     [](auto& request) { request.clear_inputs(); },
     "the request has no input, expected 'features'"},
    {"WrongInputName",
     [](auto& request) { request.mutable_inputs(0)->set_name("petals"); },
     "inputs[0] must be named 'features', found 'petals'"},
    {"InputTwice",
     [](auto& request) { *request.add_inputs() = request.inputs(0); },
     "input 'features' must be given once, found 2 times"},
    {"OneDimension",
     [](auto& request) { SetShape(request, {8}); },
     "'features' must have shape [rows, 4], found 1 dimensions"},
    {"ThreeDimensions",
     [](auto& request) {
       SetShape(request, {2, 2, 2});
     },
     "found 3 dimensions"},
    {"WrongWidth",
     [](auto& request) {
       SetShape(request, {2, 5});
     },
     "'features' must have 4 columns, found 5"},
    {"NoRows",
     [](auto& request) {
       SetShape(request, {0, 4});
     },
     "'features' must have 1 to 4096 rows, found 0"},
    {"TooManyRows",
     [](auto& request) {
       SetShape(request, {4'097, 4});
     },
     "'features' must have 1 to 4096 rows, found 4097"},
    {"NegativeRows",
     [](auto& request) {
       SetShape(request, {-1, 4});
     },
     "the shape of 'features' has a negative size, found -1"},
    {"OverflowingShape",
     [](auto& request) {
       SetShape(request, {kHuge, 4});
     },
     "its product overflows at size 4"},
    {"OverflowThatComesBackToTheRightCount",
     [](auto& request) {
       SetShape(request, {(std::int64_t{1} << 62) + 2, 4});
     },
     "its product overflows at size 4"},
    {"WrongDatatype",
     [](auto& request) { request.mutable_inputs(0)->set_datatype("INT64"); },
     "'features' must be FP32 or FP64, found 'INT64'"},
    {"DatatypeOfOtherWidth",
     [](auto& request) { request.mutable_inputs(0)->set_datatype("FP64"); },
     "raw_input_contents[0] must have 64 bytes for its shape, found 32"},
    {"RawTooShort",
     [](auto& request) { request.mutable_raw_input_contents(0)->pop_back(); },
     "raw_input_contents[0] must have 32 bytes for its shape, found 31"},
    {"RawTooLong",
     [](auto& request) { request.mutable_raw_input_contents(0)->append(4, '\0'); },
     "raw_input_contents[0] must have 32 bytes for its shape, found 36"},
    {"RawTwice",
     [](auto& request) { request.add_raw_input_contents("x"); },
     "raw_input_contents must have one entry an input, 1, found 2"},
    {"RawAndTyped",
     [](auto& request) { request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1); },
     "input 'features' has contents although raw_input_contents are used"},
    {"NoData",
     [](auto& request) { request.clear_raw_input_contents(); },
     "there is no data for input 'features'"},
    {"TypedTooFew",
     [](auto& request) {
       SetTyped(request, {1, 2, 3, 4, 5, 6, 7});
     },
     "the contents of 'features' must have 8 elements of FP32 for its shape, found 7"},
    {"TypedOfOtherType",
     [](auto& request) {
       request.clear_raw_input_contents();
       request.mutable_inputs(0)->mutable_contents()->add_int64_contents(1);
     },
     "must have 8 elements of FP32 for its shape, found 0"},
    {"NotANumber",
     [](auto& request) {
       SetTyped(request, {1, 2, 3, 4, 5, 6, std::numeric_limits<float>::quiet_NaN(), 8});
     },
     "row 1 column 2 is not"},
    {"Infinity",
     [](auto& request) {
       SetTyped(request, {std::numeric_limits<float>::infinity(), 2, 3, 4, 5, 6, 7, 8});
     },
     "row 0 column 0 is not"},
    {"WrongOutput",
     [](auto& request) { request.add_outputs()->set_name("logits"); },
     "outputs[0] must be 'probabilities', the model's only output, found 'logits'"},
    {"VersionThatIsNoNumber",
     [](auto& request) { request.set_model_version("newest"); },
     "the version must be a number from 1 up, found 'newest'"}};

INSTANTIATE_TEST_SUITE_P(Requests,
                         BadInferenceTest,
                         testing::ValuesIn(kBadInferences),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace millrace::integration
