// Inference tensors: what is taken is within its bounds, and the same in contents and raw.

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "common/status/check.h"
#include "services/serving/rpc/inference_tensors.h"

namespace millrace::serving {
namespace {

using inference::ModelInferRequest;

template <typename Element>
std::string RawOf(const google::protobuf::RepeatedField<Element>& elements) {
  return {reinterpret_cast<const char*>(elements.data()),
          static_cast<std::size_t>(elements.size()) * sizeof(Element)};
}

template <typename Element>
void Fill(const std::string& raw, google::protobuf::RepeatedField<Element>& elements) {
  elements.Resize(static_cast<int>(raw.size() / sizeof(Element)), 0);
  std::memcpy(elements.mutable_data(), raw.data(), raw.size());
}

// The same tensor in the other of the two forms.
ModelInferRequest InOtherForm(ModelInferRequest request) {
  auto& input = *request.mutable_inputs(0);
  const bool wide = input.datatype() == "FP64";
  if (request.raw_input_contents().empty()) {
    request.add_raw_input_contents(wide ? RawOf(input.contents().fp64_contents())
                                        : RawOf(input.contents().fp32_contents()));
    input.clear_contents();
    return request;
  }
  const std::string raw = request.raw_input_contents(0);
  if (wide) {
    Fill(raw, *input.mutable_contents()->mutable_fp64_contents());
  } else {
    Fill(raw, *input.mutable_contents()->mutable_fp32_contents());
  }
  request.clear_raw_input_contents();
  return request;
}

void HoldAnswer(std::int64_t rows, const std::vector<float>& answers) {
  inference::ModelInferResponse response;
  AddOutput("probabilities", rows, answers, response);
  CHECK(response.outputs_size() == 1 && response.outputs(0).shape(0) == rows);
  CHECK(response.raw_output_contents(0).size() == answers.size() * sizeof(float));
}

void Hold(const FeaturesShape& shape, const ModelInferRequest& request) {
  const std::int64_t claimed = ClaimedRows(request, shape.rows_max);
  CHECK(claimed >= 0 && claimed <= shape.rows_max);
  CHECK(CheckRequestedOutputs(request, "probabilities").ok() || request.outputs_size() > 0);
  std::vector<float> x;
  const auto rows = ReadFeatures(request, shape, x);
  if (!rows.ok()) {
    CHECK(absl::IsInvalidArgument(rows.status()));
    CHECK(x.size() <= static_cast<std::size_t>(shape.rows_max * shape.inputs));
    return;
  }
  CHECK(*rows >= 1 && *rows == claimed);
  CHECK(x.size() == static_cast<std::size_t>(*rows * shape.inputs));
  for (const float element : x) {
    CHECK(std::isfinite(element));
  }
  std::vector<float> same;
  const auto again = ReadFeatures(InOtherForm(request), shape, same);
  CHECK(again.ok() && *again == *rows);
  CHECK(std::memcmp(x.data(), same.data(), x.size() * sizeof(float)) == 0);
  HoldAnswer(*rows, x);
}

}  // namespace
}  // namespace millrace::serving

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  inference::ModelInferRequest request;
  if (size > 0 && request.ParseFromArray(data + 1, static_cast<int>(size - 1))) {
    millrace::serving::Hold({.inputs = 1 + data[0] % 4, .rows_max = 16}, request);
  }
  return 0;
}
