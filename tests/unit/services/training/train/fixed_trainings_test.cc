// Five trainings whose weights never change: on no release of the platform, no maker's processor,
// no instruction set and no number of threads. Who changes them on purpose raises
// network::kNumerics (docs/design/0001-numbers.md).

#include <cstdio>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/clock/random.h"
#include "common/network/inference_plan.h"
#include "common/network/kernels/kernels.h"
#include "common/storage/sha256.h"
#include "tests/unit/services/training/train/learner.h"

namespace millrace::training {
namespace {

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
     "63a61541ac2f17f2259720aee1c3f222f58a591e91675868b721bd41c53c1e96"},
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
