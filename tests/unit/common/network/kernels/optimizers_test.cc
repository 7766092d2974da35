#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "common/network/kernels/kernels.h"
#include "tests/unit/common/network/kernels/levels.h"

namespace millrace::network::kernels {
namespace {

// An optimizer in double beside the kernel in float, over the same gradients.
struct Optimized {
  Floats weights;
  Floats first;
  Floats second;
  std::vector<double> exact;
  std::vector<double> exact_first;
  std::vector<double> exact_second;
};

// Twenty steps over `count` weights, of the kernel and of the rule.
template <class Kernel, class Rule>
Floats TwentySteps(std::int64_t count, Kernel kernel, Rule rule) {
  Optimized o;
  const auto size = static_cast<std::size_t>(count);
  o.weights = Random(count, 1);
  o.first.resize(size);
  o.second.resize(size);
  o.exact = {o.weights.begin(), o.weights.end()};
  o.exact_first.resize(size);
  o.exact_second.resize(size);
  for (int step = 1; step <= 20; ++step) {
    const Floats g = Random(count, static_cast<std::uint32_t>(step));
    kernel(step, count, g.data(), o);
    for (std::size_t i = 0; i < size; ++i) {
      rule(step, static_cast<double>(g[i]), o, i);
      EXPECT_NEAR(o.weights[i], o.exact[i], 2e-6) << "step " << step << " element " << i;
    }
  }
  return o.weights;
}

template <class Kernel, class Rule>
void ExpectFollows(Kernel kernel, Rule rule) {
  for (const std::int64_t count : {1, 7, 8, 15, 16, 17, 31, 64, 70}) {
    ExpectSameAtEachLevel([&] { return TwentySteps(count, kernel, rule); });
  }
}

TEST(OptimizersTest, SgdFollowsKeras) {
  for (const float momentum : {0.0F, 0.9F}) {
    for (const bool nesterov : {false, true}) {
      ExpectFollows(
          [&](int, std::int64_t count, const float* g, Optimized& o) {
            Sgd({.learning_rate = 0.05F, .momentum = momentum, .nesterov = nesterov},
                count,
                g,
                momentum == 0.0F ? nullptr : o.first.data(),
                o.weights.data());
          },
          [&](int, double g, Optimized& o, std::size_t i) {
            double& v = o.exact_first[i];
            v = static_cast<double>(momentum) * v - 0.05 * g;
            o.exact[i] += nesterov ? static_cast<double>(momentum) * v - 0.05 * g : v;
          });
    }
  }
}

TEST(OptimizersTest, AdamAndAdamWFollowKeras) {
  for (const double decay : {0.0, 0.01 * 0.004}) {
    ExpectFollows(
        [&](int step, std::int64_t count, const float* g, Optimized& o) {
          const double alpha =
              0.01 * std::sqrt(1 - std::pow(0.999, step)) / (1 - std::pow(0.9, step));
          Adam({.alpha = static_cast<float>(alpha),
                .beta_1 = 0.9,
                .beta_2 = 0.999,
                .epsilon = 1e-7F,
                .decay = static_cast<float>(decay)},
               count,
               g,
               o.first.data(),
               o.second.data(),
               o.weights.data());
        },
        [&](int step, double g, Optimized& o, std::size_t i) {
          o.exact_first[i] = 0.9 * o.exact_first[i] + 0.1 * g;
          o.exact_second[i] = 0.999 * o.exact_second[i] + 0.001 * g * g;
          const double m = o.exact_first[i] / (1 - std::pow(0.9, step));
          const double root = std::sqrt(1 - std::pow(0.999, step));
          const double scale = (std::sqrt(o.exact_second[i]) + 1e-7) / root;
          o.exact[i] = o.exact[i] * (1 - decay) - 0.01 * m / scale;
        });
  }
}

TEST(OptimizersTest, RmsPropFollowsKeras) {
  ExpectFollows(
      [](int, std::int64_t count, const float* g, Optimized& o) {
        RmsProp({.learning_rate = 0.01F, .rho = 0.9, .epsilon = 1e-7F},
                count,
                g,
                o.second.data(),
                o.weights.data());
      },
      [](int, double g, Optimized& o, std::size_t i) {
        o.exact_second[i] = 0.9 * o.exact_second[i] + 0.1 * g * g;
        o.exact[i] -= 0.01 * g / std::sqrt(o.exact_second[i] + 1e-7);
      });
}

}  // namespace
}  // namespace millrace::network::kernels
