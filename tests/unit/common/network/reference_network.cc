#include "reference_network.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <sstream>
#include <utility>

#include "common/status/check.h"

namespace millrace::network {

namespace {

using model::v1::Activation;
using Kind = LayerPlan::Kind;
using Row = std::vector<double>;

Activation ParseActivation(const std::string& name) {
  for (int i = 0; i < model::v1::Activation_ARRAYSIZE; ++i) {
    const auto activation = static_cast<Activation>(i);
    std::string known =
        model::v1::Activation_Name(activation).substr(std::string("ACTIVATION_").size());
    std::transform(known.begin(), known.end(), known.begin(), [](unsigned char c) {
      return static_cast<char>(std::tolower(c));
    });
    if (known == name) {
      return activation;
    }
  }
  return model::v1::ACTIVATION_UNSPECIFIED;
}

double NormalDistribution(double x) {
  return std::erfc(-x / std::numbers::sqrt2) / 2;
}

double Apply(Activation activation, double x) {
  switch (activation) {
    case model::v1::ACTIVATION_SIGMOID:
      return 1 / (1 + std::exp(-x));
    case model::v1::ACTIVATION_TANH:
      return std::tanh(x);
    case model::v1::ACTIVATION_RELU:
      return x > 0 ? x : 0;
    case model::v1::ACTIVATION_LEAKY_RELU:
      return x > 0 ? x : 0.01 * x;
    case model::v1::ACTIVATION_GELU:
      return x * NormalDistribution(x);
    default:
      return x;
  }
}

double Derivative(Activation activation, double x) {
  const double y = Apply(activation, x);
  switch (activation) {
    case model::v1::ACTIVATION_SIGMOID:
      return y * (1 - y);
    case model::v1::ACTIVATION_TANH:
      return 1 - y * y;
    case model::v1::ACTIVATION_RELU:
      return x > 0 ? 1 : 0;
    case model::v1::ACTIVATION_LEAKY_RELU:
      return x > 0 ? 1 : 0.01;
    case model::v1::ACTIVATION_GELU:
      return NormalDistribution(x) + x * std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    default:
      return 1;
  }
}

Row Softmax(const Row& x) {
  const double largest = *std::max_element(x.begin(), x.end());
  Row y;
  double sum = 0;
  for (const double value : x) {
    y.push_back(std::exp(value - largest));
    sum += y.back();
  }
  for (double& value : y) {
    value /= sum;
  }
  return y;
}

double Clip(double p) {
  return std::clamp(p, 1e-7, 1 - 1e-7);
}

bool Clipped(double p) {
  return p < 1e-7 || p > 1 - 1e-7;
}

// Loss of one row of outputs, and its gradient.
struct Slope {
  double loss = 0;
  Row gradient;
};

Slope BinarySlope(double p, double t) {
  const double q = Clip(p);
  const double loss = -(t * std::log(q) + (1 - t) * std::log(1 - q));
  return {loss, {Clipped(p) ? 0 : -t / q + (1 - t) / (1 - q)}};
}

Slope CategoricalSlope(const Row& y, std::size_t label) {
  double sum = 0;
  for (const double value : y) {
    sum += value;
  }
  const double p = y[label] / sum;
  Slope slope{-std::log(Clip(p)), Row(y.size())};
  for (std::size_t i = 0; i < y.size() && !Clipped(p); ++i) {
    slope.gradient[i] = 1 / sum - (i == label ? 1 / y[label] : 0);
  }
  return slope;
}

Slope DistanceSlope(model::v1::Loss loss, double difference) {
  const double size = std::abs(difference);
  const double sign = difference > 0 ? 1 : (difference < 0 ? -1 : 0);
  if (loss == model::v1::LOSS_MEAN_SQUARED_ERROR) {
    return {difference * difference, {2 * difference}};
  }
  if (loss == model::v1::LOSS_MEAN_ABSOLUTE_ERROR) {
    return {size, {sign}};
  }
  return size <= 1 ? Slope{difference * difference / 2, {difference}} : Slope{size - 0.5, {sign}};
}

Slope RowSlope(model::v1::Loss loss, const Row& y, double label) {
  const auto index = label < 0 ? 0 : static_cast<std::size_t>(label);  // of a class
  switch (loss) {
    case model::v1::LOSS_BINARY_CROSSENTROPY:
      return BinarySlope(y[0], label);
    case model::v1::LOSS_CATEGORICAL_CROSSENTROPY:
      return CategoricalSlope(y, index);
    case model::v1::LOSS_BINARY_CROSSENTROPY_FROM_LOGITS: {
      const double p = 1 / (1 + std::exp(-y[0]));
      return {-(label * std::log(p) + (1 - label) * std::log(1 - p)), {p - label}};
    }
    case model::v1::LOSS_CATEGORICAL_CROSSENTROPY_FROM_LOGITS: {
      Row p = Softmax(y);
      const double value = -std::log(p[index]);
      p[index] -= 1;
      return {value, p};
    }
    default:
      return DistanceSlope(loss, y[0] - label);
  }
}

Row Slice(const Row& all, std::size_t row, std::size_t width) {
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(row * width);
  return {first, first + static_cast<std::ptrdiff_t>(width)};
}

// From the gradient of an activation's outputs to that of its inputs, in place.
void Undo(Activation activation, const Row& sums, std::size_t width, Row& gradient) {
  if (activation != model::v1::ACTIVATION_SOFTMAX) {
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      gradient[i] *= Derivative(activation, sums[i]);
    }
    return;
  }
  for (std::size_t row = 0; row < gradient.size() / width; ++row) {
    const Row y = Softmax(Slice(sums, row, width));
    const Row dy = Slice(gradient, row, width);
    for (std::size_t i = 0; i < width; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < width; ++j) {
        sum += dy[j] * y[j] * ((i == j ? 1 : 0) - y[i]);
      }
      gradient[row * width + i] = sum;
    }
  }
}

}  // namespace

model::v1::NetworkSpec MakeSpec(const std::vector<std::string>& layers) {
  model::v1::NetworkSpec spec;
  for (const std::string& text : layers) {
    std::istringstream words(text);
    std::string kind;
    words >> kind;
    model::v1::Layer& layer = *spec.add_layers();
    std::string name;
    if (kind == "dense") {
      int units = 0;
      words >> units >> name;
      layer.mutable_dense()->set_units(units);
      layer.mutable_dense()->set_activation(ParseActivation(name));
    } else if (kind == "dropout") {
      double rate = 0;
      words >> rate;
      layer.mutable_dropout()->set_rate(rate);
    } else {
      words >> name;
      layer.set_activation(ParseActivation(name));
    }
  }
  return spec;
}

Network MakeNetwork(const std::vector<std::string>& layers, std::int64_t inputs) {
  absl::StatusOr<Network> network = Network::Create(MakeSpec(layers), inputs);
  CHECK(network.ok());
  return *std::move(network);
}

std::vector<float> RandomFloats(std::size_t count, std::uint32_t seed, float limit) {
  std::mt19937 random(seed);
  std::vector<float> floats(count);
  for (float& value : floats) {
    value = (static_cast<float>(random() >> 8U) / 8388608.0F - 1.0F) * limit;
  }
  return floats;
}

std::vector<double> Widen(const std::vector<float>& floats) {
  return {floats.begin(), floats.end()};
}

Row ReferenceNetwork::Forward(const Row& x, std::int64_t rows) {
  inputs_.clear();
  sums_.clear();
  Row y = x;
  const std::span<const LayerPlan> layers = network_.layers();
  for (std::size_t index = 0; index < layers.size(); ++index) {
    const LayerPlan& layer = layers[index];
    const auto inputs = static_cast<std::size_t>(layer.inputs);
    const auto outputs = static_cast<std::size_t>(layer.outputs);
    const auto count = static_cast<std::size_t>(rows);
    inputs_.push_back(y);
    if (layer.kind == Kind::kDropout) {
      for (std::size_t i = 0; i < y.size(); ++i) {
        y[i] *= masks[index][i];
      }
    } else if (layer.kind == Kind::kDense) {
      const double* kernel = parameters.data() + layer.kernel_offset;
      const double* bias = parameters.data() + layer.bias_offset;
      Row z(count * outputs);
      for (std::size_t row = 0; row < count; ++row) {
        for (std::size_t j = 0; j < outputs; ++j) {
          double sum = bias[j];
          for (std::size_t i = 0; i < inputs; ++i) {
            sum += y[row * inputs + i] * kernel[i * outputs + j];
          }
          z[row * outputs + j] = sum;
        }
      }
      y = z;
    }
    sums_.push_back(y);
    for (std::size_t row = 0; row < count; ++row) {
      const Row z = Slice(y, row, outputs);
      const Row soft = layer.activation == model::v1::ACTIVATION_SOFTMAX ? Softmax(z) : Row();
      for (std::size_t j = 0; j < outputs; ++j) {
        y[row * outputs + j] = soft.empty() ? Apply(layer.activation, z[j]) : soft[j];
      }
    }
  }
  outputs_ = y;
  return y;
}

double ReferenceNetwork::MeanLoss(const Row& x, const Row& labels) {
  Forward(x, static_cast<std::int64_t>(labels.size()));
  const auto width = static_cast<std::size_t>(network_.outputs());
  double sum = 0;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    sum += RowSlope(loss_, Slice(outputs_, row, width), labels[row]).loss;
  }
  return sum / static_cast<double>(labels.size());
}

Row ReferenceNetwork::Gradient(const Row& x, const Row& labels) {
  Forward(x, static_cast<std::int64_t>(labels.size()));
  Row delta;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const auto width = static_cast<std::size_t>(network_.outputs());
    for (const double slope : RowSlope(loss_, Slice(outputs_, row, width), labels[row]).gradient) {
      delta.push_back(slope / static_cast<double>(labels.size()));
    }
  }
  Row gradient(parameters.size());
  const std::span<const LayerPlan> layers = network_.layers();
  for (std::size_t index = layers.size(); index-- > 0;) {
    const LayerPlan& layer = layers[index];
    const auto inputs = static_cast<std::size_t>(layer.inputs);
    const auto outputs = static_cast<std::size_t>(layer.outputs);
    Undo(layer.activation, sums_[index], outputs, delta);
    if (layer.kind == Kind::kDropout) {
      for (std::size_t i = 0; i < delta.size(); ++i) {
        delta[i] *= masks[index][i];
      }
    } else if (layer.kind == Kind::kDense) {
      const double* kernel = parameters.data() + layer.kernel_offset;
      double* kernel_gradient = gradient.data() + layer.kernel_offset;
      double* bias_gradient = gradient.data() + layer.bias_offset;
      Row below(labels.size() * inputs);
      for (std::size_t row = 0; row < labels.size(); ++row) {
        for (std::size_t j = 0; j < outputs; ++j) {
          const double slope = delta[row * outputs + j];
          bias_gradient[j] += slope;
          for (std::size_t i = 0; i < inputs; ++i) {
            kernel_gradient[i * outputs + j] += inputs_[index][row * inputs + i] * slope;
            below[row * inputs + i] += slope * kernel[i * outputs + j];
          }
        }
      }
      delta = below;
    }
  }
  return gradient;
}

}  // namespace millrace::network
