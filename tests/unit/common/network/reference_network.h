// ReferenceNetwork: a network in double, by plain loops, that shares nothing with the kernels.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "millrace/model/v1/network.pb.h"
#include "millrace/model/v1/training_spec.pb.h"

#include "common/network/network.h"

namespace millrace::network {

/// A spec from words: "dense 10 sigmoid", "dropout 0.5", "activation tanh", one a layer.
model::v1::NetworkSpec MakeSpec(const std::vector<std::string>& layers);

/// The network that MakeSpec() describes.
Network MakeNetwork(const std::vector<std::string>& layers, std::int64_t inputs);

/// Floats in [-limit, limit] from a sequence of their own.
std::vector<float> RandomFloats(std::size_t count, std::uint32_t seed, float limit = 1.0F);

/// Forward and backward pass from the definitions: nothing is folded, each activation has its own
/// derivative, softmax its whole Jacobian.
class ReferenceNetwork {
 public:
  ReferenceNetwork(Network network, model::v1::Loss loss)
      : network_(std::move(network)),
        loss_(loss) {}

  std::vector<double> parameters;

  /// Masks of the dropouts, one vector [rows, outputs] a layer, empty elsewhere.
  std::vector<std::vector<double>> masks;

  /// Outputs [rows, outputs].
  std::vector<double> Forward(const std::vector<double>& x, std::int64_t rows);

  /// Mean loss of the rows.
  double MeanLoss(const std::vector<double>& x, const std::vector<double>& labels);

  /// Gradient of MeanLoss() with respect to the parameters.
  std::vector<double> Gradient(const std::vector<double>& x, const std::vector<double>& labels);

 private:
  Network network_;
  model::v1::Loss loss_;
  std::vector<std::vector<double>> inputs_;  // of each layer, by the last Forward()
  std::vector<std::vector<double>> sums_;    // what went into each activation
  std::vector<double> outputs_;
};

/// Doubles of floats.
std::vector<double> Widen(const std::vector<float>& floats);

}  // namespace millrace::network
