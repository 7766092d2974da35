// Optimizer: the rule by which weights follow gradients.

#pragma once

#include <cstdint>
#include <span>
#include <variant>

#include "millrace/model/v1/training_spec.pb.h"

#include "common/network/kernels/kernels.h"

namespace millrace::training {

/// SGD, Adam, AdamW or RMSprop in Keras' forms (formulas: training_spec.proto) over one flat array
/// of parameters. What a rule remembers between steps is given by the caller: `slot_count()` arrays
/// as long as the parameters, one after the other, zero before the first step (SGD's velocity;
/// Adam's m, then v; RMSprop's v). Immutable; threads may share one and split the range.
class Optimizer {
 public:
  /// Requires: `rule` is complete and passed Validate() (spec.h).
  explicit Optimizer(const model::v1::Optimizer& rule);

  /// Arrays that the rule remembers: 0, 1 or 2.
  [[nodiscard]] int slot_count() const;

  /// The arrays of a step, each of one float a parameter (`slots` of slot_count() each).
  struct Arrays {
    std::span<const float> gradients;
    std::span<float> slots;
    std::span<float> parameters;
  };

  /// Moves the parameters in `range` by step `step`, which counts from 1. What holds for the whole
  /// step is computed in double and rounded once.
  void Step(std::int64_t step, network::kernels::Range range, const Arrays& arrays) const;

 private:
  struct AdamRule {
    double learning_rate;
    double beta_1;
    double beta_2;
    double epsilon;
    double weight_decay;  // 0 for Adam
  };

  std::variant<network::kernels::SgdStep, AdamRule, network::kernels::RmsPropStep> rule_;
};

}  // namespace millrace::training
