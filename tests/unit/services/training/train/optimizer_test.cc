#include "services/training/train/optimizer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <immintrin.h>

#include "common/clock/random.h"
#include "services/training/train/spec.h"

namespace millrace::training {
namespace {

constexpr std::size_t kCount = 37;  // no multiple of a vector's width
constexpr int kSteps = 12;

// Numbers in [-1, 1).
std::vector<float> Draw(std::uint64_t stream) {
  Random random(5, stream);
  std::vector<float> numbers(kCount);
  for (float& number : numbers) {
    number = static_cast<float>(random.Next()) / 2147483648.0F - 1.0F;
  }
  return numbers;
}

model::v1::Optimizer Complete(const model::v1::Optimizer& optimizer) {
  model::v1::TrainingSpec spec;
  *spec.mutable_optimizer() = optimizer;
  FillDefaults(spec);
  return spec.optimizer();
}

// One parameter of the float64 reference; a rule moves it by one gradient. `t` counts from 1.
struct Parameter {
  double w = 0;
  double a = 0;  // velocity, or first moment
  double b = 0;  // second moment
};

using Rule = std::function<void(int t, double gradient, Parameter& parameter)>;

// Goal: kSteps steps of the optimizer follow the rule as training_spec.proto writes it down.
// Method: the rule in float64 on each parameter by itself, the same gradients.
void ExpectFollows(const model::v1::Optimizer& message, const Rule& rule) {
  const Optimizer optimizer(Complete(message));
  std::vector<float> weights = Draw(0);
  std::vector<float> slots(kCount * static_cast<std::size_t>(optimizer.slot_count()));
  std::vector<Parameter> expected(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    expected[i].w = static_cast<double>(weights[i]);
  }
  for (int t = 1; t <= kSteps; ++t) {
    const std::vector<float> gradients = Draw(static_cast<std::uint64_t>(t));
    optimizer.Step(t,
                   {.first = 0, .last = kCount},
                   {.gradients = gradients, .slots = slots, .parameters = weights});
    for (std::size_t i = 0; i < kCount; ++i) {
      rule(t, static_cast<double>(gradients[i]), expected[i]);
    }
  }
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_NEAR(static_cast<double>(weights[i]), expected[i].w, 2e-6) << i;
  }
}

TEST(OptimizerTest, SgdMovesAgainstTheGradient) {
  model::v1::Optimizer message;
  message.mutable_sgd()->set_learning_rate(0.1);

  ExpectFollows(message, [](int /*t*/, double g, Parameter& p) { p.w -= 0.1 * g; });
  EXPECT_EQ(Optimizer(message).slot_count(), 0);
}

TEST(OptimizerTest, MomentumKeepsAVelocityAsKerasDoes) {
  model::v1::Optimizer message;
  message.mutable_sgd()->set_learning_rate(0.05);
  message.mutable_sgd()->set_momentum(0.9);

  ExpectFollows(message, [](int /*t*/, double g, Parameter& p) {
    p.a = 0.9 * p.a - 0.05 * g;
    p.w += p.a;
  });
}

TEST(OptimizerTest, NesterovLooksAheadAsKerasDoes) {
  model::v1::Optimizer message;
  message.mutable_sgd()->set_learning_rate(0.05);
  message.mutable_sgd()->set_momentum(0.9);
  message.mutable_sgd()->set_nesterov(true);

  ExpectFollows(message, [](int /*t*/, double g, Parameter& p) {
    p.a = 0.9 * p.a - 0.05 * g;
    p.w += 0.9 * p.a - 0.05 * g;
  });
}

void AdamStep(int t, double learning_rate, double g, Parameter& p) {
  p.a = 0.9 * p.a + 0.1 * g;
  p.b = 0.999 * p.b + 0.001 * g * g;
  const double alpha = learning_rate * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
  p.w -= alpha * p.a / (std::sqrt(p.b) + 1e-7);
}

TEST(OptimizerTest, AdamAddsEpsilonToTheUncorrectedRootAsKerasDoes) {
  model::v1::Optimizer message;
  message.mutable_adam()->set_learning_rate(0.01);

  ExpectFollows(message, [](int t, double g, Parameter& p) { AdamStep(t, 0.01, g, p); });
}

// Keras' and PyTorch's Adam differ most where the gradient is near epsilon: 2.4025e-4 against
// 9.091e-4 for a first step of rate 1e-3.
TEST(OptimizerTest, AdamsFirstStepOnATinyGradientIsKerasOwn) {
  model::v1::Optimizer message;
  message.mutable_adam();
  const Optimizer optimizer(Complete(message));
  std::vector<float> weights{0};
  std::vector<float> slots(2);
  const std::vector<float> gradients{1e-6F};

  optimizer.Step(
      1, {.first = 0, .last = 1}, {.gradients = gradients, .slots = slots, .parameters = weights});

  EXPECT_NEAR(static_cast<double>(weights[0]), -2.4025e-4, 1e-8);
}

TEST(OptimizerTest, AdamWDecaysWeightsBeforeTheStep) {
  model::v1::Optimizer message;
  message.mutable_adamw()->set_learning_rate(0.01);
  message.mutable_adamw()->set_weight_decay(0.3);

  ExpectFollows(message, [](int t, double g, Parameter& p) {
    p.w -= 0.01 * 0.3 * p.w;
    AdamStep(t, 0.01, g, p);
  });
}

TEST(OptimizerTest, RmsPropPutsEpsilonInsideTheRootAsKerasDoes) {
  model::v1::Optimizer message;
  message.mutable_rmsprop()->set_learning_rate(0.01);
  message.mutable_rmsprop()->set_epsilon(0.01);

  ExpectFollows(message, [](int /*t*/, double g, Parameter& p) {
    p.b = 0.9 * p.b + 0.1 * g * g;
    p.w -= 0.01 * g / std::sqrt(p.b + 0.01);
  });
}

TEST(OptimizerTest, PartsOfTheRangeGiveTheBitsOfTheWhole) {
  model::v1::Optimizer message;
  message.mutable_adamw();
  const Optimizer optimizer(Complete(message));
  const std::vector<float> gradients = Draw(1);
  std::vector<float> whole = Draw(0);
  std::vector<float> parts = whole;
  std::vector<float> whole_slots(2 * kCount);
  std::vector<float> parts_slots(2 * kCount);

  for (int t = 1; t <= kSteps; ++t) {
    optimizer.Step(t,
                   {.first = 0, .last = kCount},
                   {.gradients = gradients, .slots = whole_slots, .parameters = whole});
    for (const std::int64_t first : {16, 32, 0}) {
      optimizer.Step(t,
                     {.first = first, .last = std::min<std::int64_t>(first + 16, kCount)},
                     {.gradients = gradients, .slots = parts_slots, .parameters = parts});
    }
  }

  EXPECT_EQ(whole, parts);
  EXPECT_EQ(whole_slots, parts_slots);
}

std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown";
}

// The fastest of many steps over slots that begin at `moment`, in seconds.
double FastestStep(const Optimizer& optimizer, float moment) {
  constexpr std::int64_t kParameters = 1 << 14;
  const std::vector<float> gradients(kParameters);
  std::vector<float> weights(kParameters, 1.0F);
  std::vector<float> slots(2 * kParameters);
  double fastest = 1;
  for (int round = 0; round < 300; ++round) {
    std::fill(slots.begin(), slots.end(), moment);
    const auto start = std::chrono::steady_clock::now();
    optimizer.Step(1, {.first = 0, .last = kParameters}, {gradients, slots, weights});
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    fastest = std::min(fastest, passed.count());
  }
  return fastest;
}

TEST(OptimizerTest, MomentsThatHaveFadedToDenormalsCostNoMoreThanOthers) {
  model::v1::Optimizer rule;
  rule.mutable_adam();
  const Optimizer optimizer(Complete(rule));
  const double ratio = FastestStep(optimizer, 0x1p-140F) / FastestStep(optimizer, 0x1p-40F);
  std::printf("denormal moments take %.2f of a step on %s\n", ratio, ProcessorName().c_str());
  EXPECT_LE(ratio, 1.3);
}

TEST(OptimizerTest, DenormalMomentsAreZeroAndTheModeIsGoneAfterTheStep) {
  model::v1::Optimizer rule;
  rule.mutable_adam();
  const std::vector<float> gradients(1);
  std::vector<float> weights(1, 0.0F);
  std::vector<float> slots = {0x1p-140F, 0.0F};

  Optimizer(Complete(rule)).Step(1, {.first = 0, .last = 1}, {gradients, slots, weights});

  EXPECT_EQ(slots[0], 0.0F);
  EXPECT_EQ(_mm_getcsr() & 0x8040U, 0U);
}

}  // namespace
}  // namespace millrace::training
