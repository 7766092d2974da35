#include "services/serving/rpc/inference_tensors.h"

#include <cstring>
#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace::serving {
namespace {

using inference::ModelInferRequest;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kInputs = 3;
const std::vector<float> kX = {1, 2, 3, 4, 5, 6};

template <typename Element>
std::string Raw(const std::vector<Element>& elements) {
  return {reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(Element)};
}

// Two rows of three floats, typed.
ModelInferRequest Typed() {
  ModelInferRequest request;
  auto& input = *request.add_inputs();
  input.set_name("features");
  input.set_datatype("FP32");
  input.add_shape(2);
  input.add_shape(kInputs);
  input.mutable_contents()->mutable_fp32_contents()->Assign(kX.begin(), kX.end());
  return request;
}

// The same, raw.
ModelInferRequest RawRequest() {
  ModelInferRequest request = Typed();
  request.mutable_inputs(0)->clear_contents();
  request.add_raw_input_contents(Raw(kX));
  return request;
}

void ExpectError(ModelInferRequest request,
                 const std::function<void(ModelInferRequest&)>& change,
                 const std::string& phrase) {
  change(request);
  std::vector<float> x;
  const auto rows = ReadFeatures(request, {.inputs = kInputs, .rows_max = 4'096}, x);
  EXPECT_EQ(rows.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(rows.status())), HasSubstr(phrase));
}

TEST(ReadFeaturesTest, ReadsAllFourFormsAlike) {
  const std::vector<double> doubles(kX.begin(), kX.end());
  ModelInferRequest typed_double = Typed();
  typed_double.mutable_inputs(0)->set_datatype("FP64");
  typed_double.mutable_inputs(0)->mutable_contents()->Clear();
  typed_double.mutable_inputs(0)->mutable_contents()->mutable_fp64_contents()->Assign(
      doubles.begin(), doubles.end());
  ModelInferRequest raw_double = RawRequest();
  raw_double.mutable_inputs(0)->set_datatype("FP64");
  raw_double.set_raw_input_contents(0, Raw(doubles));

  for (const ModelInferRequest& request : {Typed(), RawRequest(), typed_double, raw_double}) {
    std::vector<float> x = {9, 9, 9, 9, 9, 9, 9, 9};  // from a request before
    const auto rows = ReadFeatures(request, {.inputs = kInputs, .rows_max = 4'096}, x);
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_EQ(*rows, 2);
    EXPECT_EQ(x, kX);
  }
}

TEST(ReadFeaturesTest, PassesOverParameters) {
  ModelInferRequest request = RawRequest();
  (*request.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
  (*request.mutable_inputs(0)->mutable_parameters())["anything"].set_string_param("x");
  std::vector<float> x;
  EXPECT_TRUE(ReadFeatures(request, {.inputs = kInputs, .rows_max = 4'096}, x).ok());
}

TEST(ReadFeaturesTest, RefusesParametersThatChangeTheMeaningByName) {
  for (const std::string name : {"classification",
                                 "shared_memory_region",
                                 "shared_memory_offset",
                                 "shared_memory_byte_size"}) {
    for (const ModelInferRequest& request : {Typed(), RawRequest()}) {
      ExpectError(
          request,
          [&](auto& r) { (*r.mutable_inputs(0)->mutable_parameters())[name].set_int64_param(3); },
          "an input has the parameter '" + name + "', which is not offered here");
      ExpectError(
          request,
          [&](auto& r) { (*r.add_outputs()->mutable_parameters())[name].set_string_param("x"); },
          "an output has the parameter '" + name + "'");
      ExpectError(
          request,
          [&](auto& r) { (*r.mutable_parameters())[name].set_bool_param(true); },
          "the request has the parameter '" + name + "'");
    }
  }
  // Shared memory has no data in the request: that is not what is wrong with it.
  ExpectError(
      Typed(),
      [](auto& r) {
        r.mutable_inputs(0)->clear_contents();
        (*r.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("x");
      },
      "'shared_memory_region'");
}

TEST(ReadFeaturesTest, TakesContentsWithoutAValueBesideRawOnes) {
  ModelInferRequest request = RawRequest();
  request.mutable_inputs(0)->mutable_contents();  // as mlserver's converter leaves it
  std::vector<float> x;
  const auto rows = ReadFeatures(request, {.inputs = kInputs, .rows_max = 4'096}, x);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(x, kX);
}

TEST(ReadFeaturesTest, RefusesOtherInputs) {
  ExpectError(
      Typed(), [](auto& r) { r.clear_inputs(); }, "no input, expected 'features'");
  ExpectError(
      Typed(),
      [](auto& r) { r.mutable_inputs(0)->set_name("x"); },
      "inputs[0] must be named 'features', found 'x'");
  ExpectError(
      Typed(), [](auto& r) { *r.add_inputs() = r.inputs(0); }, "found 2 times");
  ExpectError(
      Typed(),
      [](auto& r) { r.mutable_inputs(0)->set_datatype("INT64"); },
      "must be FP32 or FP64, found 'INT64'");
}

TEST(ReadFeaturesTest, RefusesShapesThatDoNotFit) {
  const auto shape = [](std::vector<std::int64_t> sizes) {
    return [sizes](ModelInferRequest& request) {
      request.mutable_inputs(0)->mutable_shape()->Assign(sizes.begin(), sizes.end());
    };
  };
  ExpectError(Typed(), shape({6}), "must have shape [rows, 3], found 1 dimensions");
  ExpectError(Typed(), shape({}), "found 0 dimensions");
  ExpectError(Typed(), shape({1, 2, 3}), "found 3 dimensions");
  ExpectError(Typed(), shape({3, 2}), "must have 3 columns, found 2");
  ExpectError(Typed(), shape({0, 3}), "must have 1 to 4096 rows, found 0");
  ExpectError(Typed(), shape({4'097, 3}), "must have 1 to 4096 rows, found 4097");
  ExpectError(Typed(), shape({-2, 3}), "negative size, found -2");
  ExpectError(Typed(), shape({std::int64_t{1} << 62, 3}), "overflows");
  ExpectError(Typed(), shape({std::int64_t{1} << 40, std::int64_t{1} << 40}), "overflows");
}

TEST(ReadFeaturesTest, RefusesDataThatIsMissingMixedOrOfAnotherSize) {
  ExpectError(
      Typed(), [](auto& r) { r.mutable_inputs(0)->clear_contents(); }, "no data for input");
  ExpectError(
      Typed(),
      [](auto& r) { r.add_raw_input_contents(Raw(kX)); },
      "has contents although raw_input_contents are used");
  ExpectError(
      RawRequest(),
      [](auto& r) { r.add_raw_input_contents("x"); },
      "one entry an input, 1, found 2");
  ExpectError(
      RawRequest(),
      [](auto& r) { r.mutable_raw_input_contents(0)->pop_back(); },
      "raw_input_contents[0] must have 24 bytes for its shape, found 23");
  ExpectError(
      RawRequest(),
      [](auto& r) { r.mutable_raw_input_contents(0)->append("x"); },
      "must have 24 bytes for its shape, found 25");
  ExpectError(
      Typed(),
      [](auto& r) { r.mutable_inputs(0)->mutable_contents()->add_fp32_contents(7); },
      "must have 6 elements of FP32 for its shape, found 7");
  ExpectError(
      Typed(),
      [](auto& r) { r.mutable_inputs(0)->set_datatype("FP64"); },
      "must have 6 elements of FP64 for its shape, found 0");
}

TEST(ReadFeaturesTest, RefusesNumbersThatAreNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    ExpectError(
        Typed(),
        [bad](auto& r) { r.mutable_inputs(0)->mutable_contents()->set_fp32_contents(4, bad); },
        "row 1 column 1 is not");
  }
  ExpectError(
      Typed(),
      [](auto& r) {
        auto& input = *r.mutable_inputs(0);
        input.set_datatype("FP64");
        for (int i = 0; i < 6; ++i) {
          input.mutable_contents()->add_fp64_contents(i == 2 ? 1e300 : i);
        }
      },
      "row 0 column 2 is not");
}

TEST(CheckRequestedOutputsTest, TakesNoneOrTheOneThereIs) {
  ModelInferRequest request;
  EXPECT_TRUE(CheckRequestedOutputs(request, "value").ok());
  request.add_outputs()->set_name("value");
  EXPECT_TRUE(CheckRequestedOutputs(request, "value").ok());
  request.add_outputs()->set_name("value");
  EXPECT_THAT(std::string(Message(CheckRequestedOutputs(request, "value"))),
              HasSubstr("asked for once, found 2 times"));
  request.mutable_outputs(1)->set_name("logits");
  EXPECT_THAT(std::string(Message(CheckRequestedOutputs(request, "value"))),
              HasSubstr("outputs[1] must be 'value', the model's only output, found 'logits'"));
}

TEST(AddOutputTest, AnswersRawWithItsShape) {
  inference::ModelInferResponse response;

  AddOutput("value", 2, kX, response);

  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 3));
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response.raw_output_contents(), ElementsAre(Raw(kX)));
}

TEST(ClaimedRowsTest, IsNeverMoreThanARequestMayHave) {
  EXPECT_EQ(ClaimedRows({}, 4'096), 0);
  ModelInferRequest request = Typed();
  EXPECT_EQ(ClaimedRows(request, 4'096), 2);
  request.mutable_inputs(0)->set_shape(0, std::int64_t{1} << 62);
  EXPECT_EQ(ClaimedRows(request, 4'096), 4'096);
  request.mutable_inputs(0)->set_shape(0, -5);
  EXPECT_EQ(ClaimedRows(request, 4'096), 0);
}

}  // namespace
}  // namespace millrace::serving
