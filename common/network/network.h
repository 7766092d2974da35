// Network: an architecture with its shapes worked out and its parameters laid out in one flat
// array.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/model/v1/bundle.pb.h"
#include "millrace/model/v1/network.pb.h"

namespace millrace::network {

/// One layer of a Network.
struct LayerPlan {
  enum class Kind { kDense, kDropout, kActivation };

  Kind kind = Kind::kDense;
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  model::v1::Activation activation = model::v1::ACTIVATION_UNSPECIFIED;     // kDense, kActivation
  model::v1::Initializer initializer = model::v1::INITIALIZER_UNSPECIFIED;  // kDense
  double dropout_rate = 0;                                                  // kDropout
  std::int64_t kernel_offset = 0;  // floats from the start of the parameters; kDense
  std::int64_t bias_offset = 0;    // likewise
};

/// A validated architecture for a number of inputs. Immutable and cheap to copy; holds no weights.
/// Thread-safe.
class Network {
 public:
  /// Fails with INVALID_ARGUMENT, naming the field (`network.layers[2].dense.units`), when the spec
  /// is empty, a value is out of its range, softmax is not last, the last layer is a dropout, or
  /// the network would have more than 2^31 - 1 parameters.
  static absl::StatusOr<Network> Create(const model::v1::NetworkSpec& spec, std::int64_t inputs);

  [[nodiscard]] std::int64_t inputs() const { return layers_.front().inputs; }

  [[nodiscard]] std::int64_t outputs() const { return layers_.back().outputs; }

  [[nodiscard]] std::span<const LayerPlan> layers() const { return layers_; }

  /// Floats in the flat array that holds every kernel and bias.
  [[nodiscard]] std::int64_t parameter_count() const { return parameter_count_; }

  /// Multiply-adds of one example's forward pass.
  [[nodiscard]] std::int64_t multiply_add_count() const;

  /// Draws kernels as their initializers say and sets biases to zero. The same seed gives the same
  /// bits on every machine (Philox 4x32-10, one stream a layer).
  /// Requires: `parameters` has parameter_count() elements.
  void Initialize(std::int64_t seed, std::span<float> parameters) const;

  /// Names and shapes of the parameters, in the order of the flat array.
  [[nodiscard]] std::vector<model::v1::Tensor> Tensors() const;

 private:
  std::vector<LayerPlan> layers_;
  std::int64_t parameter_count_ = 0;
};

}  // namespace millrace::network
