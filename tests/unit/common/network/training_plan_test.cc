#include "common/network/training_plan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/network/inference_plan.h"
#include "common/network/kernels/kernels.h"
#include "common/network/philox.h"
#include "tests/support/allocations.h"
#include "tests/unit/common/network/reference_network.h"

namespace millrace::network {
namespace {

using Layers = std::vector<std::string>;

// One combination of layers, loss and label.
struct Case {
  Layers layers;
  model::v1::Loss loss = model::v1::LOSS_UNSPECIFIED;
  schema::v1::Task task = schema::v1::TASK_REGRESSION;
  std::int64_t classes = 0;
};

constexpr std::int64_t kInputs = 5;
constexpr std::int64_t kRows = 7;

std::vector<Case> AllCases() {
  using enum schema::v1::Task;
  std::vector<Case> cases;
  for (const char* f : {"identity", "sigmoid", "tanh", "relu", "leaky_relu", "gelu"}) {
    const std::string hidden = f;
    const Layers trunk = {"dense 9 " + hidden, "dense 6 " + hidden};
    const auto with = [&](const std::string& last) {
      Layers layers = trunk;
      layers.push_back(last);
      return layers;
    };
    cases.push_back({with("dense 1 sigmoid"), model::v1::LOSS_BINARY_CROSSENTROPY, TASK_BINARY, 2});
    cases.push_back(
        {with("dense 4 softmax"), model::v1::LOSS_CATEGORICAL_CROSSENTROPY, TASK_MULTICLASS, 4});
    cases.push_back({with("dense 1"), model::v1::LOSS_MEAN_SQUARED_ERROR, TASK_REGRESSION, 0});
    cases.push_back({with("dense 1 " + hidden), model::v1::LOSS_HUBER, TASK_REGRESSION, 0});
    cases.push_back(
        {with("dense 1 " + hidden), model::v1::LOSS_MEAN_ABSOLUTE_ERROR, TASK_REGRESSION, 0});
    // The same activation as a layer of its own, and with dropouts between.
    cases.push_back({{"dense 9",
                      "activation " + hidden,
                      "dropout 0.4",
                      "dense 3 " + hidden,
                      "dropout 0.2",
                      "activation tanh",
                      "dense 1"},
                     model::v1::LOSS_MEAN_SQUARED_ERROR,
                     TASK_REGRESSION,
                     0});
  }
  cases.push_back({{"dense 8 tanh", "dense 1"},
                   model::v1::LOSS_BINARY_CROSSENTROPY_FROM_LOGITS,
                   TASK_BINARY,
                   2});
  cases.push_back({{"dense 8 tanh", "dense 3"},
                   model::v1::LOSS_CATEGORICAL_CROSSENTROPY_FROM_LOGITS,
                   TASK_MULTICLASS,
                   3});
  cases.push_back({{"dense 8 tanh", "dense 3 sigmoid"},
                   model::v1::LOSS_CATEGORICAL_CROSSENTROPY,
                   TASK_MULTICLASS,
                   3});
  cases.push_back({{"dense 8 tanh", "dense 2", "activation softmax"},
                   model::v1::LOSS_CATEGORICAL_CROSSENTROPY,
                   TASK_BINARY,
                   2});
  cases.push_back({{"dense 8 tanh", "dense 1", "activation sigmoid"},
                   model::v1::LOSS_BINARY_CROSSENTROPY,
                   TASK_BINARY,
                   2});
  cases.push_back({{"dense 8 tanh", "dense 1 sigmoid", "activation relu"},
                   model::v1::LOSS_BINARY_CROSSENTROPY,
                   TASK_BINARY,
                   2});
  cases.push_back(
      {{"dropout 0.3", "dense 1 sigmoid"}, model::v1::LOSS_MEAN_SQUARED_ERROR, TASK_BINARY, 2});
  cases.push_back({{"activation tanh", "dense 1"}, model::v1::LOSS_HUBER, TASK_REGRESSION, 0});
  return cases;
}

std::vector<float> MakeLabels(const Case& one, std::int64_t rows) {
  std::vector<float> labels = RandomFloats(static_cast<std::size_t>(rows), 5, 2.5F);
  if (one.task != schema::v1::TASK_REGRESSION) {
    for (std::size_t row = 0; row < labels.size(); ++row) {
      labels[row] = static_cast<float>(row % static_cast<std::size_t>(one.classes));
    }
  }
  return labels;
}

Loss MakeLoss(const Case& one, const Network& network) {
  absl::StatusOr<Loss> loss = Loss::Create(one.loss, network, one.task, one.classes);
  EXPECT_TRUE(loss.ok()) << loss.status();
  return *std::move(loss);
}

std::unique_ptr<TrainingPlan> MakePlan(const Network& network,
                                       const Loss& loss,
                                       const TrainingPlan::Options& options) {
  absl::StatusOr<std::unique_ptr<TrainingPlan>> plan = TrainingPlan::Create(network, loss, options);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *std::move(plan);
}

// Masks as the plan documents them: word 4 b + i of the layer's stream at this step decides on
// element 4 b + i.
std::vector<std::vector<double>> MakeMasks(const Network& network,
                                           std::int64_t seed,
                                           std::int64_t step,
                                           std::int64_t rows) {
  std::vector<std::vector<double>> masks;
  for (std::size_t index = 0; index < network.layers().size(); ++index) {
    const LayerPlan& layer = network.layers()[index];
    std::vector<double>& mask = masks.emplace_back();
    if (layer.kind != LayerPlan::Kind::kDropout) {
      continue;
    }
    for (std::int64_t i = 0; i < rows * layer.outputs; ++i) {
      const auto words =
          PhiloxBlock(seed, PhiloxUse::kDropout, static_cast<std::int64_t>(index), step, i / 4);
      const double unit =
          static_cast<double>(words[static_cast<std::size_t>(i % 4)]) / 4294967296.0;
      mask.push_back(unit < layer.dropout_rate ? 0 : 1 / (1 - layer.dropout_rate));
    }
  }
  return masks;
}

double Scale(const std::vector<double>& values) {
  double scale = 1e-3;
  for (const double value : values) {
    scale = std::max(scale, std::abs(value));
  }
  return scale;
}

std::string Describe(const Case& one) {
  std::string text = model::v1::Loss_Name(one.loss);
  for (const std::string& layer : one.layers) {
    text += " | " + layer;
  }
  return text;
}

// Goal: the reference is right. Method: central differences of its own loss.
TEST(ReferenceNetworkTest, GradientIsTheSlopeOfTheLoss) {
  for (const Case& one : AllCases()) {
    SCOPED_TRACE(Describe(one));
    const Network network = MakeNetwork(one.layers, kInputs);
    ReferenceNetwork reference(network, one.loss);
    std::vector<float> initial(static_cast<std::size_t>(network.parameter_count()));
    network.Initialize(3, initial);
    reference.parameters = Widen(initial);
    reference.masks = MakeMasks(network, 3, 0, kRows);
    const std::vector<double> x = Widen(RandomFloats(kRows * kInputs, 1));
    const std::vector<double> labels = Widen(MakeLabels(one, kRows));
    const std::vector<double> gradient = reference.Gradient(x, labels);

    for (std::size_t i = 0; i < gradient.size(); ++i) {
      constexpr double kStep = 1e-5;
      const double kept = reference.parameters[i];
      reference.parameters[i] = kept + kStep;
      const double above = reference.MeanLoss(x, labels);
      reference.parameters[i] = kept - kStep;
      const double below = reference.MeanLoss(x, labels);
      reference.parameters[i] = kept;
      ASSERT_NEAR((above - below) / (2 * kStep), gradient[i], 1e-6 * std::max(1.0, Scale(gradient)))
          << "parameter " << i;
    }
  }
}

TEST(TrainingPlanTest, GradientsAndLossEqualTheReferenceForEveryLayerAndLoss) {
  for (const Case& one : AllCases()) {
    SCOPED_TRACE(Describe(one));
    const Network network = MakeNetwork(one.layers, kInputs);
    const Loss loss = MakeLoss(one, network);
    const auto plan = MakePlan(network, loss, {.batch_rows_max = kRows, .seed = 3});
    const std::vector<float> x = RandomFloats(kRows * kInputs, 1);
    const std::vector<float> labels = MakeLabels(one, kRows);
    ReferenceNetwork reference(network, one.loss);
    reference.parameters = {plan->parameters().begin(), plan->parameters().end()};
    reference.masks = MakeMasks(network, 3, 11, kRows);

    ThreadTeam team(1);
    team.Run([&](ThreadTeam::Member& member) {
      plan->Step(member, 11, kRows, x.data(), labels.data());
    });

    const std::vector<double> expected = reference.Gradient(Widen(x), Widen(labels));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(plan->gradients()[i], expected[i], 1e-5 * Scale(expected)) << "parameter " << i;
    }
    EXPECT_NEAR(plan->LossSum() / kRows, reference.MeanLoss(Widen(x), Widen(labels)), 1e-5);
    const std::vector<double> outputs = reference.Forward(Widen(x), kRows);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      ASSERT_NEAR(plan->outputs()[i], outputs[i], 1e-5 * Scale(outputs)) << "output " << i;
    }
  }
}

const Case kSeedCase{{"dense 10 sigmoid", "dense 1 sigmoid"},
                     model::v1::LOSS_BINARY_CROSSENTROPY,
                     schema::v1::TASK_BINARY,
                     2};

TEST(TrainingPlanTest, TenSgdStepsOfTheSeedNetworkFollowTheReference) {
  const Network network = MakeNetwork(kSeedCase.layers, 2);
  const auto plan =
      MakePlan(network, MakeLoss(kSeedCase, network), {.batch_rows_max = 10, .seed = 1});
  ReferenceNetwork reference(network, kSeedCase.loss);
  reference.parameters = {plan->parameters().begin(), plan->parameters().end()};
  ThreadTeam team(1);

  for (std::uint32_t step = 0; step < 10; ++step) {
    const std::vector<float> x = RandomFloats(20, step + 1, 2.0F);
    const std::vector<float> labels = MakeLabels(kSeedCase, 10);
    const std::vector<double> gradient = reference.Gradient(Widen(x), Widen(labels));
    team.Run([&](ThreadTeam::Member& member) {
      plan->Step(member, step, 10, x.data(), labels.data());
      kernels::Sgd({.learning_rate = 0.5F},
                   network.parameter_count(),
                   plan->gradients().data(),
                   nullptr,
                   plan->parameters().data());
    });
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      reference.parameters[i] -= 0.5 * gradient[i];
    }
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      ASSERT_NEAR(plan->parameters()[i], reference.parameters[i], 2e-6) << "step " << step;
    }
  }
}

// Parameters after some steps of Adam in which every member takes part.
std::vector<float> Train(const Case& one, std::int64_t inputs, int threads, int steps) {
  constexpr std::int64_t kBatch = 96;
  const Network network = MakeNetwork(one.layers, inputs);
  const auto plan =
      MakePlan(network, MakeLoss(one, network), {.batch_rows_max = kBatch, .seed = 9});
  const auto count = static_cast<std::size_t>(network.parameter_count());
  std::vector<float> m(count);
  std::vector<float> v(count);
  const std::vector<float> x = RandomFloats(static_cast<std::size_t>(kBatch * inputs), 4);
  const std::vector<float> labels = MakeLabels(one, kBatch);
  ThreadTeam team(threads);
  team.Run([&](ThreadTeam::Member& member) {
    for (int step = 0; step < steps; ++step) {
      const std::int64_t rows = step % 3 == 2 ? 61 : kBatch;
      plan->Step(member, step, rows, x.data(), labels.data());
      const kernels::Range part = member.Part(network.parameter_count(), 16);
      kernels::Adam({.alpha = 1e-3F, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7F},
                    part.last - part.first,
                    plan->gradients().data() + part.first,
                    m.data() + part.first,
                    v.data() + part.first,
                    plan->parameters().data() + part.first);
    }
  });
  return {plan->parameters().begin(), plan->parameters().end()};
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Large enough that the step is shared, with widths that no tile divides.
const Case kSharedCase{
    {"dense 203 relu", "dropout 0.3", "dense 150 gelu", "dense 130 sigmoid", "dense 7 softmax"},
    model::v1::LOSS_CATEGORICAL_CROSSENTROPY,
    schema::v1::TASK_MULTICLASS,
    7};

TEST(TrainingPlanTest, FiftyStepsGiveTheSameBitsOnOneTwoAndThreeThreads) {
  const std::vector<float> one = Train(kSharedCase, 101, 1, 50);

  EXPECT_TRUE(SameBits(one, Train(kSharedCase, 101, 2, 50)));
  EXPECT_TRUE(SameBits(one, Train(kSharedCase, 101, 3, 50)));
}

TEST(TrainingPlanTest, FiftyStepsGiveTheSameBitsOnEveryLevel) {
  std::vector<float> first;
  for (const std::int64_t level : kernels::AvailableLevels()) {
    kernels::ForceLevel(level);
    const std::vector<float> parameters = Train(kSharedCase, 101, 1, 50);
    const std::vector<float> seed = Train(kSeedCase, 2, 1, 50);
    kernels::ForceLevel(0);
    if (first.empty()) {
      first = parameters;
    }
    EXPECT_TRUE(SameBits(first, parameters)) << level;
    EXPECT_TRUE(SameBits(seed, Train(kSeedCase, 2, 1, 50))) << level;
  }
}

TEST(TrainingPlanTest, TrainingLowersTheLoss) {
  const Network network = MakeNetwork(kSharedCase.layers, 101);
  const auto plan =
      MakePlan(network, MakeLoss(kSharedCase, network), {.batch_rows_max = 96, .seed = 9});
  const std::vector<float> x = RandomFloats(std::size_t{96} * 101, 4);
  const std::vector<float> labels = MakeLabels(kSharedCase, 96);
  ThreadTeam team(1);
  double first = 0;
  team.Run([&](ThreadTeam::Member& member) {
    for (int step = 0; step < 300; ++step) {
      plan->Step(member, step, 96, x.data(), labels.data());
      first = step == 0 ? plan->LossSum() : first;
      kernels::Sgd({.learning_rate = 0.5F},
                   network.parameter_count(),
                   plan->gradients().data(),
                   nullptr,
                   plan->parameters().data());
    }
  });

  EXPECT_LT(plan->LossSum(), 0.5 * first);
}

TEST(TrainingPlanTest, ForwardEqualsTheInferencePlanBitForBit) {
  const Case one{{"dense 37 relu", "dense 33 gelu", "dense 19 tanh", "dense 5 softmax"},
                 model::v1::LOSS_CATEGORICAL_CROSSENTROPY,
                 schema::v1::TASK_MULTICLASS,
                 5};
  const Network network = MakeNetwork(one.layers, 31);
  const auto plan = MakePlan(network, MakeLoss(one, network), {.batch_rows_max = 90, .seed = 2});
  const std::vector<float> x = RandomFloats(std::size_t{90} * 31, 8);
  const std::vector<float> labels = MakeLabels(one, 90);
  ThreadTeam team(1);
  team.Run([&](ThreadTeam::Member& member) { plan->Step(member, 0, 90, x.data(), labels.data()); });
  const absl::StatusOr<InferencePlan> inference =
      InferencePlan::Create(network, plan->parameters());
  ASSERT_TRUE(inference.ok());

  InferenceScratch scratch;
  std::vector<float> y(std::size_t{90} * 5);
  inference->Run(90, x, y, scratch);

  EXPECT_TRUE(SameBits({plan->outputs().begin(), plan->outputs().end()}, y));
}

TEST(TrainingPlanTest, DropoutZeroesItsRateAndKeepsTheMean) {
  // One dense layer of ones over dropped ones: each output counts what was kept.
  constexpr std::int64_t kWidth = 2000;
  const Network network = MakeNetwork({"dropout 0.3", "dense 1"}, kWidth);
  const Case one{{}, model::v1::LOSS_MEAN_SQUARED_ERROR, schema::v1::TASK_REGRESSION, 0};
  const auto plan = MakePlan(network, MakeLoss(one, network), {.batch_rows_max = 50, .seed = 6});
  std::fill(plan->parameters().begin(), plan->parameters().end() - 1, 1.0F);
  const std::vector<float> x(50 * kWidth, 1.0F);
  const std::vector<float> labels(50);
  ThreadTeam team(1);
  const auto run = [&](std::int64_t step) {
    team.Run(
        [&](ThreadTeam::Member& member) { plan->Step(member, step, 50, x.data(), labels.data()); });
    return std::vector<float>(plan->outputs().begin(), plan->outputs().end());
  };

  const std::vector<float> first = run(0);
  const std::vector<float> second = run(1);

  double kept = 0;
  for (const float sum : first) {
    kept += static_cast<double>(sum) * 0.7 / (50 * kWidth);
  }
  // Five deviations of a fraction of 100,000.
  EXPECT_NEAR(kept, 0.7, 5 * std::sqrt(0.3 * 0.7 / 100000));
  EXPECT_FALSE(SameBits(first, second));
  EXPECT_TRUE(SameBits(first, run(0)));
  EXPECT_NE(first[0], first[1]);
}

TEST(TrainingPlanTest, NotANumberReachesTheLossAndHugeLogitsDoNotBreakIt) {
  const Network network = MakeNetwork(kSharedCase.layers, 3);
  const auto plan =
      MakePlan(network, MakeLoss(kSharedCase, network), {.batch_rows_max = 2, .seed = 1});
  ThreadTeam team(1);
  const auto loss = [&](float value) {
    const std::vector<float> x(6, value);
    const std::vector<float> labels = {0, 6};
    team.Run(
        [&](ThreadTeam::Member& member) { plan->Step(member, 0, 2, x.data(), labels.data()); });
    return plan->LossSum();
  };

  EXPECT_TRUE(std::isnan(loss(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(std::isnan(loss(std::numeric_limits<float>::infinity())) ||
              !std::isfinite(loss(std::numeric_limits<float>::infinity())));
  EXPECT_TRUE(std::isfinite(loss(1e30F)));
}

TEST(TrainingPlanTest, RefusesABatchOutsideItsRange) {
  const Network network = MakeNetwork(kSeedCase.layers, 2);
  const Loss loss = MakeLoss(kSeedCase, network);

  for (const std::int64_t rows : {std::int64_t{0}, std::int64_t{65537}}) {
    const auto plan = TrainingPlan::Create(network, loss, {.batch_rows_max = rows, .seed = 0});
    EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(plan.status().message()), testing::HasSubstr("batch_size"));
  }
  EXPECT_TRUE(TrainingPlan::Create(network, loss, {.batch_rows_max = 65536, .seed = 0}).ok());
}

int CountStepAllocations(const std::vector<std::string>& layers, std::int64_t rows, int threads) {
  const Network network = MakeNetwork(layers, 64);
  const Loss loss =
      Loss::Create(model::v1::LOSS_UNSPECIFIED, network, schema::v1::TASK_MULTICLASS, 10).value();
  const auto plan =
      TrainingPlan::Create(network, loss, {.batch_rows_max = rows, .seed = 1}).value();
  const std::vector<float> x = RandomFloats(static_cast<std::size_t>(rows) * 64, 1);
  const std::vector<float> labels(static_cast<std::size_t>(rows), 3.0F);
  ThreadTeam team(threads);
  int counted = 0;
  team.Run([&](ThreadTeam::Member& member) {
    plan->Step(member, 0, rows, x.data(), labels.data());  // the first call picks the kernels
    const int before = AllocationCount();
    for (int step = 1; step < 20; ++step) {
      plan->Step(member, step, rows, x.data(), labels.data());
      const kernels::Range part = member.Part(network.parameter_count(), 16);
      kernels::Sgd({.learning_rate = 0.1F},
                   part.last - part.first,
                   plan->gradients().data() + part.first,
                   nullptr,
                   plan->parameters().data() + part.first);
    }
    member.Barrier();
    if (member.index() == 0) {
      counted = AllocationCount() - before;
    }
  });
  return counted;
}

TEST(TrainingPlanTest, AllocationsAreCounted) {
  const int before = AllocationCount();
  const std::vector<float> floats(100);

  EXPECT_EQ(AllocationCount(), before + 1);
}

TEST(TrainingPlanTest, AStepAllocatesNothing) {
  EXPECT_EQ(CountStepAllocations({"dense 10 sigmoid", "dense 10 softmax"}, 10, 1), 0);
  EXPECT_EQ(CountStepAllocations({"dense 20 gelu", "dropout 0.5", "dense 10"}, 33, 1), 0);
  EXPECT_EQ(CountStepAllocations({"dense 512 relu", "dense 256 relu", "dense 10 softmax"}, 128, 2),
            0);
}

}  // namespace
}  // namespace millrace::network
