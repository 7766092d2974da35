#include "services/training/train/trainer.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock/random.h"
#include "common/network/inference_plan.h"
#include "common/network/kernels/kernels.h"
#include "common/status/status.h"
#include "common/storage/sha256.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/train/learner.h"

namespace millrace::training {
namespace {

using model::v1::TrainingSpec;
using testing::HasSubstr;

double Sigmoid(double z) {
  return 1 / (1 + std::exp(-z));
}

// The seed's network 2-10-1 in float64, written down from its formulas: forward pass, binary
// cross-entropy, its gradient p - t, and backward pass. Parameters lie as in the flat array: W1
// [2, 10], b1 [10], W2 [10, 1], b2 [1].
class SeedReference {
 public:
  explicit SeedReference(std::span<const float> weights) : w_(weights.begin(), weights.end()) {}

  // Mean loss over the data; leaves the gradient in `gradient_`.
  double LossAndGradient(const Data& data) {
    gradient_.assign(w_.size(), 0);
    double loss = 0;
    const auto count = static_cast<double>(data.size());
    for (std::size_t row = 0; row < data.size(); ++row) {
      const std::array<double, 2> x{data.x[2 * row], data.x[2 * row + 1]};
      const double t = data.labels[row];
      std::array<double, 10> h{};
      double z = w_[40];
      for (std::size_t j = 0; j < 10; ++j) {
        h[j] = Sigmoid(x[0] * w_[j] + x[1] * w_[10 + j] + w_[20 + j]);
        z += h[j] * w_[30 + j];
      }
      const double p = Sigmoid(z);
      loss -= (t * std::log(p) + (1 - t) * std::log(1 - p)) / count;
      const double dz = (p - t) / count;
      gradient_[40] += dz;
      for (std::size_t j = 0; j < 10; ++j) {
        gradient_[30 + j] += dz * h[j];
        const double da = dz * w_[30 + j] * h[j] * (1 - h[j]);
        gradient_[j] += da * x[0];
        gradient_[10 + j] += da * x[1];
        gradient_[20 + j] += da;
      }
    }
    return loss;
  }

  void Descend(double learning_rate) {
    for (std::size_t i = 0; i < w_.size(); ++i) {
      w_[i] -= learning_rate * gradient_[i];
    }
  }

  [[nodiscard]] const std::vector<double>& weights() const { return w_; }

 private:
  std::vector<double> w_;
  std::vector<double> gradient_;
};

// Goal: Keras' semantics of the seed's example. Method: all examples in one batch, so that their
// order means nothing and each epoch is one step, against the float64 reference.
TEST(TrainerTest, TenSgdStepsOfTheSeedNetworkEqualTheFloat64Reference) {
  Learner learner(
      SpecOf(std::string(kSeedNetwork) +
             "optimizer { sgd { learning_rate: 0.1 } } epochs: 10 batch_size: 10 seed: 3"),
      Separable(10));
  std::vector<float> initial(static_cast<std::size_t>(learner.network().parameter_count()));
  learner.network().Initialize(3, initial);
  SeedReference reference(initial);
  RememberingObserver observer;

  const auto state = learner.Run(observer);

  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_EQ(observer.epochs.size(), 10U);
  for (std::size_t step = 0; step < 10; ++step) {
    EXPECT_NEAR(
        observer.epochs[step].train_loss(), reference.LossAndGradient(learner.data()), 1e-6);
    reference.Descend(0.1);
    for (std::size_t i = 0; i < initial.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(observer.weights[step][i]), reference.weights()[i], 1e-6)
          << "step " << step << " parameter " << i;
    }
  }
  EXPECT_EQ(state->step, 10);
}

// With a rate so small that the weights stay, the reported loss is the mean over the examples; a
// mean over the batches would give the last one, of 5 examples, the weight of 10.
TEST(TrainerTest, TheReportedLossWeightsBatchesByTheirSize) {
  Learner learner(SpecOf(std::string(kSeedNetwork) +
                         "optimizer { sgd { learning_rate: 1e-12 } } epochs: 1 batch_size: 10"),
                  Separable(25));
  std::vector<float> initial(static_cast<std::size_t>(learner.network().parameter_count()));
  learner.network().Initialize(0, initial);
  RememberingObserver observer;

  const auto state = learner.Run(observer);

  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->step, 3);
  EXPECT_NEAR(observer.epochs.at(0).train_loss(),
              SeedReference(initial).LossAndGradient(learner.data()),
              1e-6);
}

TEST(TrainerTest, TheSeedExampleLearns) {
  Learner learner(SpecOf(std::string(kSeedNetwork) +
                         "optimizer { sgd { learning_rate: 0.1 } } epochs: 100 batch_size: 10"),
                  Separable(400));
  RememberingObserver observer;

  const auto state = learner.Run(observer);

  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_LT(observer.epochs.back().train_loss(), 0.5 * observer.epochs.front().train_loss());
  EXPECT_GT(learner.Accuracy(state->kept_weights()), 0.95);
}

TEST(TrainerTest, EachOptimizerLearnsWhatNoLineCanTell) {
  for (const char* optimizer : {"sgd { learning_rate: 0.2 momentum: 0.9 nesterov: true }",
                                "adam { learning_rate: 0.02 }",
                                "adamw { learning_rate: 0.02 }",
                                "rmsprop { learning_rate: 0.01 }"}) {
    Learner learner(SpecOf(std::string("network { layers { dense { units: 16 activation: "
                                       "ACTIVATION_TANH } } layers { dense { units: 1 activation: "
                                       "ACTIVATION_SIGMOID } } } epochs: 150 optimizer { ") +
                           optimizer + " }"),
                    ExclusiveOr(300));

    const auto state = learner.Run();

    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_GT(learner.Accuracy(state->kept_weights()), 0.95) << optimizer;
  }
}

TEST(TrainerTest, WeightsAreTheSameBitForBitOnOneAndTwoThreads) {
  const std::string spec = std::string(kWideNetwork) + "epochs: 3 batch_size: 64 seed: 9 threads: ";
  const Data data = Wide(230);

  const auto one = Learner(SpecOf(spec + "1"), data).Run();
  const auto two = Learner(SpecOf(spec + "2"), data).Run();

  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(one->weights, two->weights);
  EXPECT_EQ(one->optimizer_slots, two->optimizer_slots);
}

TEST(TrainerTest, SmallStepsToo) {
  const std::string spec = std::string(kSeedNetwork) + "epochs: 5 batch_size: 10 threads: ";

  const auto one = Learner(SpecOf(spec + "1"), Separable(55)).Run();
  const auto three = Learner(SpecOf(spec + "3"), Separable(55)).Run();

  ASSERT_TRUE(one.ok() && three.ok());
  EXPECT_EQ(one->weights, three->weights);
}

TEST(TrainerTest, TheSeedAloneDecides) {
  const std::string spec = std::string(kSeedNetwork) + "epochs: 2 batch_size: 10 seed: ";

  const auto first = Learner(SpecOf(spec + "1"), Separable(50)).Run();
  const auto again = Learner(SpecOf(spec + "1"), Separable(50)).Run();
  const auto other = Learner(SpecOf(spec + "2"), Separable(50)).Run();

  ASSERT_TRUE(first.ok() && again.ok() && other.ok());
  EXPECT_EQ(first->weights, again->weights);
  EXPECT_NE(first->weights, other->weights);
}

TEST(TrainerTest, EarlyStoppingKeepsTheWeightsOfTheBestEpoch) {
  Learner learner(SpecOf(std::string(kSeedNetwork) + "epochs: 50 early_stopping { patience: 3 }"),
                  Separable(40));
  RememberingObserver observer;

  const auto state = learner.Run(observer, {}, ScriptedLosses({1.0, 0.8, 0.9, 0.85, 0.8, 0.1}));

  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(observer.epochs.size(), 5U);
  EXPECT_EQ(state->epoch, 5);
  EXPECT_EQ(state->kept_epoch(), 2);
  EXPECT_EQ(std::vector<float>(state->kept_weights().begin(), state->kept_weights().end()),
            observer.weights[1]);
  EXPECT_NE(observer.weights[1], observer.weights[4]);
  EXPECT_EQ(observer.epochs[3].validation().loss(), 0.85);
}

TEST(TrainerTest, AFallByNoMoreThanMinDeltaIsNoImprovement) {
  Learner learner(SpecOf(std::string(kSeedNetwork) +
                         "epochs: 50 early_stopping { patience: 2 min_delta: 0.25 }"),
                  Separable(40));
  RememberingObserver observer;

  const auto state = learner.Run(observer, {}, ScriptedLosses({1.0, 0.75, 0.5, 0.5, 0.25, 0.0}));

  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->epoch, 5);
  EXPECT_EQ(state->kept_epoch(), 3);
}

TEST(TrainerTest, TheBestEpochIsKeptWhenAllEpochsAreRunToo) {
  Learner learner(SpecOf(std::string(kSeedNetwork) + "epochs: 3 early_stopping { patience: 9 }"),
                  Separable(40));
  RememberingObserver observer;

  const auto state = learner.Run(observer, {}, ScriptedLosses({0.5, 0.9, 0.9}));

  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->epoch, 3);
  EXPECT_EQ(state->kept_epoch(), 1);
}

TEST(TrainerTest, WithoutEarlyStoppingTheLastWeightsAreKept) {
  Learner learner(SpecOf(std::string(kSeedNetwork) + "epochs: 3"), Separable(40));
  RememberingObserver observer;

  const auto state = learner.Run(observer, {}, ScriptedLosses({0.5, 0.9, 0.9}));

  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->kept_epoch(), 3);
  EXPECT_EQ(state->weights, observer.weights[2]);
}

TEST(TrainerTest, EarlyStoppingWithoutAValidatorIsRefused) {
  Learner learner(SpecOf(std::string(kSeedNetwork) + "early_stopping { patience: 1 }"),
                  Separable(40));

  EXPECT_THAT(learner.Run(), Fails(absl::StatusCode::kInvalidArgument, "training.early_stopping"));
}

TEST(TrainerTest, AStopBetweenEpochsEndsTheNextOneAtItsFirstStep) {
  Learner learner(SpecOf(std::string(kSeedNetwork) + "epochs: 1000"), Separable(400));
  std::stop_source stop;
  RememberingObserver observer;
  observer.each_epoch = [&](const TrainerState& state) {
    if (state.epoch == 2) {
      stop.request_stop();
    }
    return absl::OkStatus();
  };

  EXPECT_THAT(learner.Run(observer, stop.get_token()),
              Fails(absl::StatusCode::kCancelled, "stopped in epoch 3"));
  EXPECT_EQ(observer.epochs.size(), 2U);
}

TEST(TrainerTest, AnErrorOfTheObserverEndsTheTraining) {
  Learner learner(SpecOf(std::string(kSeedNetwork) + "epochs: 1000"), Separable(40));
  RememberingObserver observer;
  observer.each_epoch = [](const TrainerState&) { return Unavailable("nobody listens"); };

  EXPECT_THAT(learner.Run(observer), Fails(absl::StatusCode::kUnavailable, "nobody listens"));
  EXPECT_EQ(observer.epochs.size(), 1U);
}

TEST(TrainerTest, ALossThatIsNotFiniteEndsTheRunWithinTheEpoch) {
  Data data = Separable(200);
  for (float& x : data.x) {
    x *= 1e6F;
  }
  Learner learner(SpecOf("network { layers { dense { units: 8 } } layers { dense { units: 1 } } } "
                         "optimizer { sgd { learning_rate: 10 } } epochs: 1000 batch_size: 10"),
                  data,
                  schema::v1::TASK_REGRESSION);
  RememberingObserver observer;

  const auto state = learner.Run(observer);

  EXPECT_THAT(state,
              Fails(absl::StatusCode::kFailedPrecondition, "no longer a finite number in epoch 1"));
  EXPECT_THAT(Fix(state.status()), HasSubstr("lower training.optimizer.sgd.learning_rate"));
  EXPECT_TRUE(observer.epochs.empty());
}

// The last step of an epoch has no loss after it that could tell.
TEST(TrainerTest, WeightsThatTheLastStepBreaksAreFoundInTheSameEpoch) {
  Data data{.inputs = 1, .x = {1e38F}, .labels = {-1e38F}};
  Learner learner(SpecOf("network { layers { dense { units: 1 } } } loss: LOSS_MEAN_ABSOLUTE_ERROR "
                         "optimizer { sgd { learning_rate: 10 } } epochs: 5"),
                  data,
                  schema::v1::TASK_REGRESSION);
  RememberingObserver observer;

  EXPECT_THAT(learner.Run(observer),
              Fails(absl::StatusCode::kFailedPrecondition, "no longer a finite number in epoch 1"));
  EXPECT_TRUE(observer.epochs.empty());
}

TEST(TrainerTest, AValidationLossThatIsNotFiniteEndsTheRun) {
  Learner learner(SpecOf(std::string(kSeedNetwork) + "epochs: 9"), Separable(40));
  RememberingObserver observer;

  EXPECT_THAT(learner.Run(observer, {}, ScriptedLosses({0.5, std::nan("")})),
              Fails(absl::StatusCode::kFailedPrecondition,
                    "the validation loss is no longer a finite number in epoch 2"));
}

TEST(TrainerTest, NoExamplesOrTooFewNumbersAreRefused) {
  Learner empty(SpecOf(kSeedNetwork), Data{.inputs = 2, .x = {}, .labels = {}});
  Data short_by_one = Separable(4);
  short_by_one.x.pop_back();

  EXPECT_THAT(empty.Run(), Fails(absl::StatusCode::kInvalidArgument, "no examples"));
  EXPECT_THAT(Learner(SpecOf(kSeedNetwork), short_by_one).Run(),
              Fails(absl::StatusCode::kInvalidArgument, "need 8 floats, found 7"));
}

TEST(TrainerTest, SmallStepsTakeOneThreadAndTheSpecOverrules) {
  TrainingSpec spec = SpecOf(kSeedNetwork);
  Learner small(spec, Separable(10));

  EXPECT_EQ(ChooseThreads(spec, small.network()), 1);
  spec.set_threads(3);
  EXPECT_EQ(ChooseThreads(spec, small.network()), 3);
}

// Five trainings whose weights never change: on no release of the platform, no maker's processor,
// no instruction set and no number of threads. Who changes them on purpose raises
// network::kNumerics (docs/design/0001-numbers.md).
namespace kernels = network::kernels;

struct FixedTraining {
  std::string_view name;
  schema::v1::Task task;
  std::int64_t inputs;
  std::int64_t classes;  // 0: a regression
  std::string_view spec;
  std::string_view weights_sha256;
};

// For gtest's list of tests.
std::ostream& operator<<(std::ostream& out, const FixedTraining& training) {
  return out << training.name;
}

// NOLINTNEXTLINE(modernize-avoid-c-arrays): std::array would need its size counted by hand.
constexpr FixedTraining kTrainings[] = {
    {"SeedSgd",
     schema::v1::TASK_BINARY,
     2,
     2,
     R"(network { layers { dense { units: 10 activation: ACTIVATION_SIGMOID } }
                  layers { dense { units: 1 activation: ACTIVATION_SIGMOID } } }
        optimizer { sgd { learning_rate: 0.5 } } epochs: 20 batch_size: 10 seed: 1)",
     "e6e89b0b5a9fab136e34e8876e29f29787dea302f7cda2d9857965a816d1a434"},
    {"TabularAdamWithDropout",
     schema::v1::TASK_BINARY,
     30,
     2,
     R"(network { layers { dense { units: 64 activation: ACTIVATION_RELU
                                   initializer: INITIALIZER_HE_UNIFORM } }
                  layers { dropout { rate: 0.2 } }
                  layers { dense { units: 32 activation: ACTIVATION_RELU
                                   initializer: INITIALIZER_HE_NORMAL } }
                  layers { dense { units: 1 activation: ACTIVATION_SIGMOID } } }
        optimizer { adam { learning_rate: 0.005 } } epochs: 12 batch_size: 32 seed: 2)",
     "74c301101ed630adf71b3a5fe40ddedb215bfaae8bcf210a8a3b7ec82027c149"},
    // Steps that two threads share.
    {"SoftmaxOfTanhWithRmsProp",
     schema::v1::TASK_MULTICLASS,
     64,
     5,
     R"(network { layers { dense { units: 160 activation: ACTIVATION_TANH
                                   initializer: INITIALIZER_GLOROT_NORMAL } }
                  layers { dense { units: 96 activation: ACTIVATION_TANH } }
                  layers { dense { units: 5 activation: ACTIVATION_SOFTMAX } } }
        optimizer { rmsprop { learning_rate: 0.002 } } epochs: 6 batch_size: 64 seed: 3)",
     "b6534ea1a5f4be3c13b9e5d0bffbd34c181594fac85aa2c822e314a6ff4bff93"},
    {"HuberOfGeluWithAdamW",
     schema::v1::TASK_REGRESSION,
     7,
     0,
     R"(network { layers { dense { units: 24 activation: ACTIVATION_GELU } }
                  layers { dense { units: 1 } } }
        loss: LOSS_HUBER
        optimizer { adamw { learning_rate: 0.01 weight_decay: 0.01 } }
        epochs: 10 batch_size: 25 seed: 4)",
     "b0ea4c5f5b2ff531c7f956800042a4d046607f93d962001e8f4fa8c21a23ad59"},
    // 300 examples leave a batch of 12; stops early by a loss of probabilities that no sigmoid
    // made.
    {"LeakyReluWithARestAndEarlyStopping",
     schema::v1::TASK_BINARY,
     5,
     2,
     R"(network { layers { dense { units: 17 activation: ACTIVATION_LEAKY_RELU } }
                  layers { dropout { rate: 0.1 } }
                  layers { dense { units: 1 activation: ACTIVATION_TANH } } }
        loss: LOSS_BINARY_CROSSENTROPY
        optimizer { sgd { learning_rate: 0.1 momentum: 0.9 nesterov: true } }
        epochs: 60 batch_size: 48 seed: 5 early_stopping { patience: 3 })",
     "ba81e3cdba664fd46272e62ac2a8eb9eba96ed45135f4a893bf8a5b6b44a82a9"},
};

// A label that follows from the first inputs, by products and sums alone.
float LabelOf(const FixedTraining& training, const float* x) {
  const float score = x[0] + 0.5F * x[1] * x[1] - 0.5F;
  if (training.classes == 0) {
    return score;
  }
  float label = 0;
  for (std::int64_t c = 1; c < training.classes; ++c) {
    const float bound = 4.0F * static_cast<float>(c) / static_cast<float>(training.classes) - 2.0F;
    label += score > bound ? 1.0F : 0.0F;
  }
  return label;
}

Data DataOf(const FixedTraining& training, std::int64_t count, std::uint64_t stream) {
  Random random(training.inputs, stream);
  Data data{.inputs = training.inputs, .x = {}, .labels = {}};
  for (std::int64_t row = 0; row < count; ++row) {
    for (std::int64_t i = 0; i < training.inputs; ++i) {
      data.x.push_back(static_cast<float>(random.Next() >> 8U) / 4194304.0F - 2.0F);
    }
    data.labels.push_back(LabelOf(training, data.x.data() + row * training.inputs));
  }
  return data;
}

schema::v1::TransformSet TransformsOf(const FixedTraining& training) {
  schema::v1::TransformSet transforms;
  transforms.set_input_count(static_cast<std::int32_t>(training.inputs));
  transforms.set_task(training.task);
  for (std::int64_t c = 0; c < training.classes; ++c) {
    transforms.mutable_label()->add_classes(std::to_string(c));
  }
  return transforms;
}

// Mean loss of a hundred rows of their own.
Validator ValidatorOf(const FixedTraining& training, const BoundSpec& bound) {
  return [&bound, data = DataOf(training, 100, 1)](
             std::span<const float> weights) -> absl::StatusOr<model::v1::Evaluation> {
    const auto plan = network::InferencePlan::Create(bound.network, weights).value();
    network::InferenceScratch scratch;
    const std::size_t size = data.size() * static_cast<std::size_t>(bound.network.outputs());
    std::vector<float> y(size);
    std::vector<float> logits(size);
    plan.Run(static_cast<std::int64_t>(data.size()), data.x, y, scratch, logits);
    model::v1::Evaluation evaluation;
    evaluation.set_loss(
        bound.loss.Sum(static_cast<std::int64_t>(data.size()), y, logits, data.labels) /
        static_cast<double>(data.size()));
    return evaluation;
  };
}

// SHA-256 of the weights that are kept.
std::string WeightsOf(const FixedTraining& training, int threads) {
  model::v1::TrainingSpec spec = SpecOf(training.spec);
  spec.set_threads(threads);
  const schema::v1::TransformSet transforms = TransformsOf(training);
  const BoundSpec bound =
      Bind(spec, {.transforms = transforms, .train_count = 300, .validation_count = 100}).value();
  const Data data = DataOf(training, 300, 0);
  RememberingObserver observer;
  const auto state = Train({.spec = spec,
                            .network = bound.network,
                            .loss = bound.loss,
                            .x = data.x,
                            .labels = data.labels,
                            .validator = ValidatorOf(training, bound)},
                           observer,
                           {});
  EXPECT_TRUE(state.ok()) << state.status();
  const auto kept = state->kept_weights();
  return storage::ToHex(
      storage::Sha256Of({reinterpret_cast<const char*>(kept.data()), kept.size_bytes()}));
}

class FixedTrainingsTest : public testing::TestWithParam<FixedTraining> {};

TEST_P(FixedTrainingsTest, HaveTheirWeightsOnEveryLevelAndNumberOfThreads) {
  for (const std::int64_t level : kernels::AvailableLevels()) {
    kernels::ForceLevel(level);
    for (const int threads : {1, 2}) {
      EXPECT_EQ(WeightsOf(GetParam(), threads), GetParam().weights_sha256)
          << kernels::LevelName() << ", threads: " << threads;
    }
    std::printf("%s: trained on %s\n",
                std::string(GetParam().name).c_str(),
                std::string(kernels::LevelName()).c_str());
  }
  kernels::ForceLevel(0);
}

INSTANTIATE_TEST_SUITE_P(All,
                         FixedTrainingsTest,
                         testing::ValuesIn(kTrainings),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace millrace::training
