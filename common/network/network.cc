#include "common/network/network.h"

#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "common/network/philox.h"
#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::network {

namespace {

using model::v1::Activation;
using model::v1::Initializer;

constexpr std::int64_t kParametersMax = std::numeric_limits<std::int32_t>::max();

absl::Status CheckActivation(const std::string& field, Activation activation, bool last) {
  if (!model::v1::Activation_IsValid(activation)) {
    return InvalidArgument(
        "{} is not an activation of this version, found {}", field, static_cast<int>(activation));
  }
  if (activation == model::v1::ACTIVATION_SOFTMAX && !last) {
    return InvalidArgument("{}: softmax is for the last layer only", field);
  }
  return absl::OkStatus();
}

absl::Status CheckDense(const std::string& field, const model::v1::Dense& dense, bool last) {
  if (!model::v1::Initializer_IsValid(dense.initializer())) {
    return InvalidArgument("{}.initializer is not an initializer of this version, found {}",
                           field,
                           static_cast<int>(dense.initializer()));
  }
  return CheckActivation(field + ".activation", dense.activation(), last);
}

absl::Status CheckDropout(const std::string& field, const model::v1::Dropout& dropout, bool last) {
  if (!(dropout.rate() >= 0 && dropout.rate() < 1)) {
    return InvalidArgument("{}.rate must be in [0, 1), found {}", field, dropout.rate());
  }
  if (last) {
    return InvalidArgument("{}: a dropout cannot be the last layer, which gives the answer", field);
  }
  return absl::OkStatus();
}

absl::StatusOr<LayerPlan> PlanLayer(const model::v1::Layer& layer, int index, bool last) {
  const std::string field = fmt::format("network.layers[{}]", index);
  LayerPlan plan;
  switch (layer.kind_case()) {
    case model::v1::Layer::kDense:
      RETURN_IF_ERROR(CheckUnits(layer, index, kUnitsMax));
      RETURN_IF_ERROR(CheckDense(field + ".dense", layer.dense(), last));
      plan.kind = LayerPlan::Kind::kDense;
      plan.outputs = layer.dense().units();
      plan.activation = layer.dense().activation();
      plan.initializer = layer.dense().initializer();
      return plan;
    case model::v1::Layer::kDropout:
      RETURN_IF_ERROR(CheckDropout(field + ".dropout", layer.dropout(), last));
      plan.kind = LayerPlan::Kind::kDropout;
      plan.dropout_rate = layer.dropout().rate();
      return plan;
    case model::v1::Layer::kActivation:
      RETURN_IF_ERROR(CheckActivation(field + ".activation", layer.activation(), last));
      plan.kind = LayerPlan::Kind::kActivation;
      plan.activation = layer.activation();
      return plan;
    case model::v1::Layer::KIND_NOT_SET:
      break;
  }
  return InvalidArgument("{} must be one of dense, dropout, activation; none is set", field);
}

// exp(-t) for t in [0, 2], from sums and products alone, so that every machine agrees on it: the
// Taylor polynomial of degree 13 at t / 4, to the fourth power. Good to 1e-13.
double ExpMinus(double t) {
  const double x = -t / 4;
  double sum = 1;
  for (int n = 13; n >= 1; --n) {
    sum = 1 + sum * x / n;
  }
  return sum * sum * sum * sum;
}

// In (0, 1), the middle of one of 2^24 or 2^32 equal steps.
double Unit24(std::uint32_t word) {
  return (static_cast<double>(word >> 8U) + 0.5) / 16777216.0;
}

double Unit32(std::uint32_t word) {
  return (static_cast<double>(word) + 0.5) / 4294967296.0;
}

// A normal number of deviation 1 before it was cut at two: uniform ones are refused until one lies
// under the curve. A block of Philox holds two attempts; `step` counts an element's blocks.
double CutNormal(std::int64_t seed, std::int64_t layer, std::int64_t element) {
  for (std::int64_t step = 0;; ++step) {
    const auto words = PhiloxBlock(seed, PhiloxUse::kWeights, layer, step, element);
    for (std::size_t i = 0; i < 4; i += 2) {
      const double x = 4 * Unit32(words[i]) - 2;
      if (Unit32(words[i + 1]) < ExpMinus(x * x / 2)) {
        return x;
      }
    }
  }
}

bool IsNormal(Initializer initializer) {
  return initializer == model::v1::INITIALIZER_GLOROT_NORMAL ||
         initializer == model::v1::INITIALIZER_HE_NORMAL;
}

// What the variance is two of: (inputs + outputs) for Glorot's, inputs for He's.
std::int64_t Fan(const LayerPlan& layer) {
  const bool he = layer.initializer == model::v1::INITIALIZER_HE_UNIFORM ||
                  layer.initializer == model::v1::INITIALIZER_HE_NORMAL;
  return he ? layer.inputs : layer.inputs + layer.outputs;
}

void FillUniform(std::int64_t seed, std::int64_t index, double limit, std::span<float> kernel) {
  for (std::size_t i = 0; i < kernel.size(); i += 4) {
    const auto words =
        PhiloxBlock(seed, PhiloxUse::kWeights, index, 0, static_cast<std::int64_t>(i / 4));
    for (std::size_t k = 0; k < 4 && i + k < kernel.size(); ++k) {
      kernel[i + k] = static_cast<float>((2 * Unit24(words[k]) - 1) * limit);
    }
  }
}

}  // namespace

absl::Status CheckLayerCount(const model::v1::NetworkSpec& spec, std::int64_t layers_max) {
  if (spec.layers().empty() || spec.layers_size() > layers_max) {
    return InvalidArgument(
        "network.layers must have 1 to {} layers, found {}", layers_max, spec.layers_size());
  }
  return absl::OkStatus();
}

absl::Status CheckUnits(const model::v1::Layer& layer, int index, std::int64_t units_max) {
  const std::int32_t units = layer.dense().units();
  if (layer.has_dense() && (units < 1 || units > units_max)) {
    return InvalidArgument(
        "network.layers[{}].dense.units must be in [1, {}], found {}", index, units_max, units);
  }
  return absl::OkStatus();
}

absl::StatusOr<Network> Network::Create(const model::v1::NetworkSpec& spec, std::int64_t inputs) {
  RETURN_IF_ERROR(CheckLayerCount(spec, kLayersMax));
  if (inputs < 1 || inputs > kParametersMax) {
    return InvalidArgument("network needs 1 to {} inputs, found {}", kParametersMax, inputs);
  }
  Network network;
  for (int i = 0; i < spec.layers_size(); ++i) {
    const bool last = i + 1 == spec.layers_size();
    ASSIGN_OR_RETURN(LayerPlan layer, PlanLayer(spec.layers(i), i, last));
    layer.inputs = inputs;
    if (layer.kind == LayerPlan::Kind::kDense) {
      layer.kernel_offset = network.parameter_count_;
      layer.bias_offset = layer.kernel_offset + inputs * layer.outputs;
      network.parameter_count_ = layer.bias_offset + layer.outputs;
      inputs = layer.outputs;
    } else {
      layer.outputs = inputs;
    }
    if (network.parameter_count_ > kParametersMax) {
      return InvalidArgument("network.layers[{}] brings the network over {} parameters, to {}",
                             i,
                             kParametersMax,
                             network.parameter_count_);
    }
    network.layers_.push_back(layer);
  }
  return network;
}

std::int64_t Network::multiply_add_count() const {
  std::int64_t count = 0;
  for (const LayerPlan& layer : layers_) {
    if (layer.kind == LayerPlan::Kind::kDense) {
      count += layer.inputs * layer.outputs;
    }
  }
  return count;
}

void Network::Initialize(std::int64_t seed, std::span<float> parameters) const {
  CHECK(std::ssize(parameters) == parameter_count_);
  for (std::size_t index = 0; index < layers_.size(); ++index) {
    const LayerPlan& layer = layers_[index];
    if (layer.kind != LayerPlan::Kind::kDense) {
      continue;
    }
    const auto stream = static_cast<std::int64_t>(index);
    const std::span<float> kernel =
        parameters.subspan(static_cast<std::size_t>(layer.kernel_offset),
                           static_cast<std::size_t>(layer.inputs * layer.outputs));
    const double variance = 2.0 / static_cast<double>(Fan(layer));
    if (IsNormal(layer.initializer)) {
      // Cutting takes a part of the variance; the deviation before it makes up for that.
      const double deviation = std::sqrt(variance) / 0.87962566103423978;
      for (std::size_t i = 0; i < kernel.size(); ++i) {
        const auto element = static_cast<std::int64_t>(i);
        kernel[i] = static_cast<float>(CutNormal(seed, stream, element) * deviation);
      }
    } else {
      FillUniform(seed, stream, std::sqrt(3 * variance), kernel);
    }
    const std::span<float> bias = parameters.subspan(static_cast<std::size_t>(layer.bias_offset),
                                                     static_cast<std::size_t>(layer.outputs));
    std::fill(bias.begin(), bias.end(), 0.0F);
  }
}

std::vector<model::v1::Tensor> Network::Tensors() const {
  std::vector<model::v1::Tensor> tensors;
  for (std::size_t index = 0; index < layers_.size(); ++index) {
    const LayerPlan& layer = layers_[index];
    if (layer.kind != LayerPlan::Kind::kDense) {
      continue;
    }
    model::v1::Tensor& kernel = tensors.emplace_back();
    kernel.set_name(fmt::format("layers/{}/kernel", index));
    kernel.add_shape(layer.inputs);
    kernel.add_shape(layer.outputs);
    model::v1::Tensor& bias = tensors.emplace_back();
    bias.set_name(fmt::format("layers/{}/bias", index));
    bias.add_shape(layer.outputs);
  }
  return tensors;
}

}  // namespace millrace::network
