// InferencePlan: a network with its weights, ready to answer.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "common/network/network.h"

namespace millrace::network {

/// Buffers for one forward pass at a time. Grows to the largest pass it has seen and keeps that;
/// not thread-safe: one a thread.
class InferenceScratch {
 public:
  InferenceScratch() = default;

 private:
  friend class InferencePlan;
  std::vector<float> a_, b_;
};

/// Answers with the same bits for a row alone, first, last or among others, and with the same as
/// TrainingPlan::outputs() of the same parameters. Immutable; Run() may be called by many threads,
/// each with a scratch of its own.
class InferencePlan {
 public:
  /// Copies the parameters into the kernels' layout.
  /// Fails with INVALID_ARGUMENT when `parameters` has not network.parameter_count() elements.
  static absl::StatusOr<InferencePlan> Create(const Network& network,
                                              std::span<const float> parameters);

  /// y [rows, outputs] = network(x [rows, inputs]); dropout is the identity. `logits` [rows,
  /// outputs], when not empty, receives what went into the last activation, as Loss::Sum() wants
  /// it. Allocates only when `scratch` is smaller than this pass needs.
  void Run(std::int64_t rows,
           std::span<const float> x,
           std::span<float> y,
           InferenceScratch& scratch,
           std::span<float> logits = {}) const;

  [[nodiscard]] const Network& network() const { return network_; }

  /// A rough upper estimate of a pass' time on one core, in microseconds, from its multiply-adds
  /// and a fixed cost a layer; what decides whether it may run inside a reactor.
  [[nodiscard]] double EstimateMicroseconds(std::int64_t rows) const;

 private:
  explicit InferencePlan(Network network) : network_(std::move(network)) {}

  // A few rows of a pass, or of one layer.
  struct Part {
    std::int64_t rows;
    const float* x;
    float* y;
    float* logits;  // or null
  };

  void RunRows(const Part& part, InferenceScratch& scratch) const;
  void RunLayer(std::size_t index, const Part& part) const;

  Network network_;
  std::int64_t width_max_ = 0;              // of any layer
  std::vector<std::vector<float>> packed_;  // a layer; empty where it has no kernel
  std::vector<std::vector<float>> biases_;
};

}  // namespace millrace::network
