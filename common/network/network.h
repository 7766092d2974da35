// Network: an architecture with its shapes worked out and its parameters laid out in one flat
// array.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "millrace/model/v1/bundle.pb.h"
#include "millrace/model/v1/network.pb.h"

namespace millrace::network {

/// The contract of numbers (docs/design/0001-numbers.md) that this build computes under. It rises
/// when the same bundle, or the same training, gives other bits than before.
inline constexpr std::int32_t kNumerics = 2;

/// What every installation takes; a service may be set to less.
inline constexpr std::int64_t kLayersMax = 256;
inline constexpr std::int64_t kUnitsMax = 65'536;  // of a dense layer

/// INVALID_ARGUMENT when there is no layer, or more than `layers_max`.
absl::Status CheckLayerCount(const model::v1::NetworkSpec& spec, std::int64_t layers_max);

/// INVALID_ARGUMENT that names the field when `layer`, the spec's layer of that index, is dense and
/// has no unit, or more than `units_max`.
absl::Status CheckUnits(const model::v1::Layer& layer, int index, std::int64_t units_max);

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
