#include "common/network/inference_plan.h"

#include <algorithm>

#include "common/network/flush_denormals.h"
#include "common/network/kernels/kernels.h"
#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::network {

namespace {

// Rows that pass through all layers together: enough for the kernels' full speed, few enough for
// their activations to stay in the second cache.
constexpr std::int64_t kRowsMax = 256;

void Grow(std::int64_t size, std::vector<float>& floats) {
  if (std::ssize(floats) < size) {
    floats.resize(static_cast<std::size_t>(size));
  }
}

// f from `from` to `to`, softmax included.
void ActivateRows(const LayerPlan& layer, std::int64_t rows, const float* from, float* to) {
  if (layer.activation == model::v1::ACTIVATION_SOFTMAX) {
    kernels::Softmax(rows, layer.outputs, from, to);
  } else {
    kernels::Activate(layer.activation, rows * layer.outputs, from, to);
  }
}

}  // namespace

absl::StatusOr<InferencePlan> InferencePlan::Create(const Network& network,
                                                    std::span<const float> parameters) {
  if (std::ssize(parameters) != network.parameter_count()) {
    return InvalidArgument(
        "the network has {} parameters, found {}", network.parameter_count(), parameters.size());
  }
  InferencePlan plan(network);
  for (const LayerPlan& layer : network.layers()) {
    plan.width_max_ = std::max(plan.width_max_, layer.outputs);
    std::vector<float>& packed = plan.packed_.emplace_back();
    std::vector<float>& bias = plan.biases_.emplace_back();
    if (layer.kind != LayerPlan::Kind::kDense) {
      continue;
    }
    const kernels::Shape shape{.rows = layer.inputs, .columns = layer.outputs};
    packed.resize(static_cast<std::size_t>(kernels::PackedSize(shape)));
    kernels::Pack(shape,
                  parameters.subspan(static_cast<std::size_t>(layer.kernel_offset),
                                     static_cast<std::size_t>(layer.inputs * layer.outputs)),
                  packed);
    const auto first = parameters.begin() + layer.bias_offset;
    bias.assign(first, first + layer.outputs);
  }
  return plan;
}

void InferencePlan::Run(std::int64_t rows,
                        std::span<const float> x,
                        std::span<float> y,
                        InferenceScratch& scratch,
                        std::span<float> logits) const {
  const FlushDenormals flush;
  const std::int64_t inputs = network_.inputs();
  const std::int64_t outputs = network_.outputs();
  CHECK(std::ssize(x) >= rows * inputs && std::ssize(y) >= rows * outputs);
  CHECK(logits.empty() || std::ssize(logits) >= rows * outputs);
  const std::int64_t size = std::min(rows, kRowsMax) * width_max_;
  Grow(size, scratch.a_);
  Grow(size, scratch.b_);
  for (std::int64_t first = 0; first < rows; first += kRowsMax) {
    RunRows({.rows = std::min(kRowsMax, rows - first),
             .x = x.data() + first * inputs,
             .y = y.data() + first * outputs,
             .logits = logits.empty() ? nullptr : logits.data() + first * outputs},
            scratch);
  }
}

void InferencePlan::RunRows(const Part& part, InferenceScratch& scratch) const {
  const std::span<const LayerPlan> layers = network_.layers();
  const float* from = part.x;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].kind == LayerPlan::Kind::kDropout) {
      continue;
    }
    const bool last = i + 1 == layers.size();
    float* other = from == scratch.a_.data() ? scratch.b_.data() : scratch.a_.data();
    float* to = last ? part.y : other;
    RunLayer(i, {.rows = part.rows, .x = from, .y = to, .logits = last ? part.logits : nullptr});
    from = to;
  }
}

void InferencePlan::RunLayer(std::size_t index, const Part& part) const {
  const LayerPlan& layer = network_.layers()[index];
  if (layer.kind == LayerPlan::Kind::kActivation) {
    if (part.logits != nullptr) {
      std::copy_n(part.x, part.rows * layer.outputs, part.logits);
    }
    ActivateRows(layer, part.rows, part.x, part.y);
    return;
  }
  const bool softmax = layer.activation == model::v1::ACTIVATION_SOFTMAX;
  kernels::Dense({.inputs = layer.inputs,
                  .outputs = layer.outputs,
                  .packed = packed_[index],
                  .bias = biases_[index],
                  .activation = softmax ? model::v1::ACTIVATION_UNSPECIFIED : layer.activation},
                 part.rows,
                 part.x,
                 part.y,
                 part.logits);
  if (softmax) {
    kernels::Softmax(part.rows, layer.outputs, part.y, part.y);
  }
}

double InferencePlan::EstimateMicroseconds(std::int64_t rows) const {
  // Few rows read the weights at the speed of the cache, many compute at that of the multiply-add
  // units; both figures are half of what a 2022 server core does.
  constexpr double kLayerMicroseconds = 0.1;
  constexpr double kElementMicroseconds = 0.002;
  const double multiply_adds_per_microsecond = rows < 4 ? 4000 : 15000;
  double elements = 0;
  for (const LayerPlan& layer : network_.layers()) {
    elements += static_cast<double>(layer.outputs);
  }
  const double row =
      static_cast<double>(network_.multiply_add_count()) / multiply_adds_per_microsecond +
      elements * kElementMicroseconds;
  return kLayerMicroseconds * static_cast<double>(network_.layers().size()) +
         row * static_cast<double>(rows);
}

}  // namespace millrace::network
