#include "services/training/train/optimizer.h"

#include <cmath>
#include <cstddef>

#include "common/network/flush_denormals.h"
#include "common/status/check.h"

namespace millrace::training {

namespace {

namespace kernels = network::kernels;

// base^exponent by squaring: only products, so that it has the same bits with any C library.
double Power(double base, std::int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0) {
      result *= base;
    }
    base *= base;
  }
  return result;
}

float ToFloat(double value) {
  return static_cast<float>(value);
}

}  // namespace

Optimizer::Optimizer(const model::v1::Optimizer& rule) {
  switch (rule.kind_case()) {
    case model::v1::Optimizer::kSgd:
      rule_ = kernels::SgdStep{.learning_rate = ToFloat(rule.sgd().learning_rate()),
                               .momentum = ToFloat(rule.sgd().momentum()),
                               .nesterov = rule.sgd().nesterov()};
      break;
    case model::v1::Optimizer::kAdam:
      rule_ = AdamRule{.learning_rate = rule.adam().learning_rate(),
                       .beta_1 = rule.adam().beta_1(),
                       .beta_2 = rule.adam().beta_2(),
                       .epsilon = rule.adam().epsilon(),
                       .weight_decay = 0};
      break;
    case model::v1::Optimizer::kAdamw:
      rule_ = AdamRule{.learning_rate = rule.adamw().learning_rate(),
                       .beta_1 = rule.adamw().beta_1(),
                       .beta_2 = rule.adamw().beta_2(),
                       .epsilon = rule.adamw().epsilon(),
                       .weight_decay = rule.adamw().weight_decay()};
      break;
    case model::v1::Optimizer::kRmsprop:
      rule_ = kernels::RmsPropStep{.learning_rate = ToFloat(rule.rmsprop().learning_rate()),
                                   .rho = rule.rmsprop().rho(),
                                   .epsilon = ToFloat(rule.rmsprop().epsilon())};
      break;
    case model::v1::Optimizer::KIND_NOT_SET:
      CHECK(false);
  }
}

int Optimizer::slot_count() const {
  if (const auto* sgd = std::get_if<kernels::SgdStep>(&rule_)) {
    return sgd->momentum == 0 ? 0 : 1;
  }
  return std::holds_alternative<AdamRule>(rule_) ? 2 : 1;
}

void Optimizer::Step(std::int64_t step, kernels::Range range, const Arrays& arrays) const {
  const std::int64_t count = range.last - range.first;
  if (count <= 0) {
    return;
  }
  const network::FlushDenormals flush;
  const auto first = static_cast<std::size_t>(range.first);
  const float* const gradient = arrays.gradients.data() + first;
  float* const weights = arrays.parameters.data() + first;
  float* const slot = arrays.slots.empty() ? nullptr : arrays.slots.data() + first;
  if (const auto* sgd = std::get_if<kernels::SgdStep>(&rule_)) {
    kernels::Sgd(*sgd, count, gradient, slot, weights);
  } else if (const auto* rmsprop = std::get_if<kernels::RmsPropStep>(&rule_)) {
    kernels::RmsProp(*rmsprop, count, gradient, slot, weights);
  } else if (const auto* adam = std::get_if<AdamRule>(&rule_)) {
    const double alpha = adam->learning_rate * std::sqrt(1 - Power(adam->beta_2, step)) /
                         (1 - Power(adam->beta_1, step));
    kernels::Adam({.alpha = ToFloat(alpha),
                   .beta_1 = adam->beta_1,
                   .beta_2 = adam->beta_2,
                   .epsilon = ToFloat(adam->epsilon),
                   .decay = ToFloat(adam->learning_rate * adam->weight_decay)},
                  count,
                  gradient,
                  slot,
                  slot + arrays.parameters.size(),
                  weights);
  }
}

}  // namespace millrace::training
