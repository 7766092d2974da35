#include "services/serving/rpc/inference_tensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "common/status/status.h"

namespace millrace::serving {

namespace {

using Input = inference::ModelInferRequest::InferInputTensor;
using inference::ModelInferRequest;

static_assert(std::endian::native == std::endian::little, "raw contents are little-endian");

// A text of a client inside a message.
std::string Excerpt(const std::string& text) {
  return text.substr(0, 64);
}

// Extensions of the protocol that would have the answer, or the place of the data, be another one.
constexpr std::array<const char*, 4> kOtherMeaning = {"classification",
                                                      "shared_memory_region",
                                                      "shared_memory_offset",
                                                      "shared_memory_byte_size"};

// Refuses them by name; whatever else a client adds changes nothing and is passed over.
template <typename Part>
absl::Status CheckParameters(const Part& part, std::string_view what) {
  if (part.parameters().empty()) {
    return absl::OkStatus();
  }
  for (const char* const name : kOtherMeaning) {
    if (part.parameters().contains(name)) {
      return WithFix(
          InvalidArgument("{} has the parameter '{}', which is not offered here", what, name),
          "leave it out: data and answers travel in the messages, and an answer has the "
          "probabilities of all classes");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAllParameters(const ModelInferRequest& request) {
  RETURN_IF_ERROR(CheckParameters(request, "the request"));
  for (const auto& input : request.inputs()) {
    RETURN_IF_ERROR(CheckParameters(input, "an input"));
  }
  for (const auto& output : request.outputs()) {
    RETURN_IF_ERROR(CheckParameters(output, "an output"));
  }
  return absl::OkStatus();
}

// Exactly one input, and it is ours.
absl::StatusOr<const Input*> OnlyInput(const ModelInferRequest& request) {
  if (request.inputs().empty()) {
    return InvalidArgument("the request has no input, expected '{}'", kInputName);
  }
  for (int i = 0; i < request.inputs_size(); ++i) {
    if (request.inputs(i).name() != kInputName) {
      return InvalidArgument("inputs[{}] must be named '{}', found '{}'",
                             i,
                             kInputName,
                             Excerpt(request.inputs(i).name()));
    }
  }
  if (request.inputs_size() > 1) {
    return InvalidArgument(
        "input '{}' must be given once, found {} times", kInputName, request.inputs_size());
  }
  return &request.inputs(0);
}

// The number of elements; its product may overflow, since a client may write any shape.
absl::StatusOr<std::int64_t> ElementCount(const Input& input) {
  std::int64_t count = 1;
  for (const std::int64_t size : input.shape()) {
    if (size < 0) {
      return InvalidArgument("the shape of '{}' has a negative size, found {}", kInputName, size);
    }
    if (__builtin_mul_overflow(count, size, &count)) {
      return InvalidArgument(
          "the shape of '{}' is too large: its product overflows at size {}", kInputName, size);
    }
  }
  return count;
}

absl::Status CheckShape(const Input& input, const FeaturesShape& expected) {
  const std::int64_t inputs = expected.inputs;
  if (input.shape_size() != 2) {
    return InvalidArgument("'{}' must have shape [rows, {}], found {} dimensions",
                           kInputName,
                           inputs,
                           input.shape_size());
  }
  if (input.shape(1) != inputs) {
    return InvalidArgument(
        "'{}' must have {} columns, found {}", kInputName, inputs, input.shape(1));
  }
  if (input.shape(0) < 1 || input.shape(0) > expected.rows_max) {
    return InvalidArgument(
        "'{}' must have 1 to {} rows, found {}", kInputName, expected.rows_max, input.shape(0));
  }
  return absl::OkStatus();
}

// A message without a value says nothing: converters leave one beside raw contents.
bool HasValues(const Input& input) {
  return input.has_contents() && input.contents().ByteSizeLong() > 0;
}

absl::Status CheckPlace(const ModelInferRequest& request) {
  if (request.raw_input_contents().empty()) {
    return request.inputs(0).has_contents()
               ? absl::OkStatus()
               : InvalidArgument("there is no data for input '{}'", kInputName);
  }
  if (HasValues(request.inputs(0))) {
    return InvalidArgument("input '{}' has contents although raw_input_contents are used",
                           kInputName);
  }
  if (request.raw_input_contents_size() != 1) {
    return InvalidArgument("raw_input_contents must have one entry an input, 1, found {}",
                           request.raw_input_contents_size());
  }
  return absl::OkStatus();
}

// Copies elements of either width into floats.
template <typename Element>
void CopyRaw(const std::string& bytes, std::vector<float>& x) {
  x.resize(bytes.size() / sizeof(Element));
  for (std::size_t i = 0; i < x.size(); ++i) {
    Element element = 0;
    std::memcpy(&element, bytes.data() + i * sizeof element, sizeof element);
    x[i] = static_cast<float>(element);
  }
}

template <typename Element>
absl::Status ReadElements(const ModelInferRequest& request,
                          const google::protobuf::RepeatedField<Element>& typed,
                          std::int64_t count,
                          std::vector<float>& x) {
  if (!request.raw_input_contents().empty()) {
    const std::string& bytes = request.raw_input_contents(0);
    if (bytes.size() != static_cast<std::size_t>(count) * sizeof(Element)) {
      return InvalidArgument("raw_input_contents[0] must have {} bytes for its shape, found {}",
                             static_cast<std::size_t>(count) * sizeof(Element),
                             bytes.size());
    }
    CopyRaw<Element>(bytes, x);
    return absl::OkStatus();
  }
  if (typed.size() != count) {
    return InvalidArgument(
        "the contents of '{}' must have {} elements of {} for its shape, found {}",
        kInputName,
        count,
        request.inputs(0).datatype(),
        typed.size());
  }
  x.resize(static_cast<std::size_t>(count));
  std::transform(typed.begin(), typed.end(), x.begin(), [](Element element) {
    return static_cast<float>(element);
  });
  return absl::OkStatus();
}

absl::Status ReadData(const ModelInferRequest& request, std::int64_t count, std::vector<float>& x) {
  const Input& input = request.inputs(0);
  if (input.datatype() == "FP32") {
    return ReadElements(request, input.contents().fp32_contents(), count, x);
  }
  if (input.datatype() == "FP64") {
    return ReadElements(request, input.contents().fp64_contents(), count, x);
  }
  return InvalidArgument(
      "'{}' must be FP32 or FP64, found '{}'", kInputName, Excerpt(input.datatype()));
}

absl::Status CheckFinite(std::span<const float> x, std::int64_t inputs) {
  const auto bad =
      std::find_if(x.begin(), x.end(), [](float element) { return !std::isfinite(element); });
  if (bad == x.end()) {
    return absl::OkStatus();
  }
  const auto at = bad - x.begin();
  return InvalidArgument("'{}' must be finite numbers that a float holds, row {} column {} is not",
                         kInputName,
                         at / inputs,
                         at % inputs);
}

}  // namespace

std::int64_t ClaimedRows(const ModelInferRequest& request, std::int64_t rows_max) {
  if (request.inputs().empty() || request.inputs(0).shape().empty()) {
    return 0;
  }
  return std::clamp<std::int64_t>(request.inputs(0).shape(0), 0, rows_max);
}

absl::StatusOr<std::int64_t> ReadFeatures(const ModelInferRequest& request,
                                          const FeaturesShape& shape,
                                          std::vector<float>& x) {
  RETURN_IF_ERROR(CheckAllParameters(request));
  ASSIGN_OR_RETURN(const Input* const input, OnlyInput(request));
  ASSIGN_OR_RETURN(const std::int64_t count, ElementCount(*input));
  RETURN_IF_ERROR(CheckShape(*input, shape));
  RETURN_IF_ERROR(CheckPlace(request));
  RETURN_IF_ERROR(ReadData(request, count, x));
  RETURN_IF_ERROR(CheckFinite(x, shape.inputs));
  return input->shape(0);
}

absl::Status CheckRequestedOutputs(const ModelInferRequest& request, const std::string& name) {
  for (int i = 0; i < request.outputs_size(); ++i) {
    if (request.outputs(i).name() != name) {
      return InvalidArgument("outputs[{}] must be '{}', the model's only output, found '{}'",
                             i,
                             name,
                             Excerpt(request.outputs(i).name()));
    }
  }
  if (request.outputs_size() > 1) {
    return InvalidArgument(
        "output '{}' must be asked for once, found {} times", name, request.outputs_size());
  }
  return absl::OkStatus();
}

void AddOutput(const std::string& name,
               std::int64_t rows,
               std::span<const float> answers,
               inference::ModelInferResponse& response) {
  auto& output = *response.add_outputs();
  output.set_name(name);
  output.set_datatype("FP32");
  output.add_shape(rows);
  output.add_shape(static_cast<std::int64_t>(answers.size()) / rows);
  response.add_raw_output_contents()->assign(reinterpret_cast<const char*>(answers.data()),
                                             answers.size_bytes());
}

}  // namespace millrace::serving
