#include "services/training/train/spec.h"

#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::training {
namespace {

using testing::HasSubstr;

model::v1::TrainingSpec SpecOf(const std::string& text) {
  model::v1::TrainingSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  return spec;
}

model::v1::TrainingSpec CompleteSpecOf(const std::string& text) {
  model::v1::TrainingSpec spec = SpecOf(text);
  FillDefaults(spec);
  return spec;
}

constexpr char kNetwork[] =
    "network { layers { dense { units: 1 activation: ACTIVATION_SIGMOID } } }";

schema::v1::TransformSet BinaryTransforms() {
  schema::v1::TransformSet transforms;
  transforms.set_input_count(3);
  transforms.set_task(schema::v1::TASK_BINARY);
  transforms.mutable_label()->add_classes("no");
  transforms.mutable_label()->add_classes("yes");
  return transforms;
}

TEST(SpecTest, DefaultsAreWhatTheProtoSays) {
  const model::v1::TrainingSpec spec = CompleteSpecOf(kNetwork);

  EXPECT_EQ(spec.epochs(), 20);
  EXPECT_EQ(spec.batch_size(), 32);
  EXPECT_EQ(spec.optimizer().adam().learning_rate(), 0.001);
  EXPECT_EQ(spec.optimizer().adam().beta_1(), 0.9);
  EXPECT_EQ(spec.optimizer().adam().beta_2(), 0.999);
  EXPECT_EQ(spec.optimizer().adam().epsilon(), 1e-7);
  EXPECT_EQ(spec.network().layers(0).dense().initializer(), model::v1::INITIALIZER_GLOROT_UNIFORM);
  EXPECT_EQ(spec.threads(), 0);
  EXPECT_TRUE(Validate(spec).ok());
}

TEST(SpecTest, EachOptimizerHasDefaultsOfItsOwn) {
  EXPECT_EQ(CompleteSpecOf("optimizer { sgd {} }").optimizer().sgd().learning_rate(), 0.01);
  EXPECT_EQ(CompleteSpecOf("optimizer { adamw {} }").optimizer().adamw().weight_decay(), 0.004);
  EXPECT_EQ(CompleteSpecOf("optimizer { rmsprop {} }").optimizer().rmsprop().rho(), 0.9);
  EXPECT_EQ(CompleteSpecOf("optimizer { rmsprop {} }").optimizer().rmsprop().epsilon(), 1e-7);
}

TEST(SpecTest, WhatWasSaidIsKept) {
  const auto spec =
      CompleteSpecOf("epochs: 7 batch_size: 9 optimizer { sgd { learning_rate: 0.5 } }");

  EXPECT_EQ(spec.epochs(), 7);
  EXPECT_EQ(spec.batch_size(), 9);
  EXPECT_EQ(spec.optimizer().sgd().learning_rate(), 0.5);
}

struct WrongSpec {
  const char* text;
  const char* phrase;
};

class WrongSpecTest : public testing::TestWithParam<WrongSpec> {};

TEST_P(WrongSpecTest, IsRefusedByTheFieldsName) {
  EXPECT_THAT(Validate(CompleteSpecOf(GetParam().text)),
              Fails(absl::StatusCode::kInvalidArgument, GetParam().phrase));
}

INSTANTIATE_TEST_SUITE_P(
    Fields,
    WrongSpecTest,
    testing::Values(
        WrongSpec{"epochs: -1", "training.epochs must be in [1, 100000], found -1"},
        WrongSpec{"epochs: 100001", "training.epochs must be in [1, 100000], found 100001"},
        WrongSpec{"batch_size: 65537", "training.batch_size must be in [1, 65536], found 65537"},
        WrongSpec{"threads: 65", "training.threads must be in [0, 64], found 65"},
        WrongSpec{"threads: -1", "training.threads must be in [0, 64], found -1"},
        WrongSpec{"optimizer { sgd { learning_rate: -0.1 } }",
                  "training.optimizer.sgd.learning_rate must be in (0, 10], found -0.1"},
        WrongSpec{"optimizer { adam { learning_rate: 10.5 } }",
                  "training.optimizer.adam.learning_rate must be in (0, 10], found 10.5"},
        WrongSpec{"optimizer { adamw { learning_rate: nan } }",
                  "training.optimizer.adamw.learning_rate must be in (0, 10], found nan"},
        WrongSpec{"optimizer { sgd { momentum: 1 } }",
                  "training.optimizer.sgd.momentum must be in [0, 1), found 1"},
        WrongSpec{"optimizer { adam { beta_1: 1 } }",
                  "training.optimizer.adam.beta_1 must be in [0, 1), found 1"},
        WrongSpec{"optimizer { adam { beta_2: -0.5 } }",
                  "training.optimizer.adam.beta_2 must be in [0, 1), found -0.5"},
        WrongSpec{"optimizer { adam { epsilon: -1e-7 } }",
                  "training.optimizer.adam.epsilon must be in (0, 1], found -1e-07"},
        WrongSpec{"optimizer { adamw { weight_decay: 1 } }",
                  "training.optimizer.adamw.weight_decay must be in [0, 1), found 1"},
        WrongSpec{"optimizer { rmsprop { rho: 1.5 } }",
                  "training.optimizer.rmsprop.rho must be in [0, 1), found 1.5"},
        WrongSpec{"optimizer { rmsprop { epsilon: inf } }",
                  "training.optimizer.rmsprop.epsilon must be in (0, 1], found inf"},
        WrongSpec{"early_stopping {}",
                  "training.early_stopping.patience must be in [1, 100000], found 0"},
        WrongSpec{"early_stopping { patience: 1 min_delta: -1 }",
                  "training.early_stopping.min_delta must be in [0, 1e9], found -1"}));

TEST(SpecTest, LimitsThemselvesAreAllowed) {
  EXPECT_TRUE(Validate(CompleteSpecOf("epochs: 100000 batch_size: 65536 threads: 64 "
                                      "optimizer { sgd { learning_rate: 10 } } "
                                      "early_stopping { patience: 100000 min_delta: 0 }" +
                                      std::string(kNetwork)))
                  .ok());
}

TEST(SpecTest, LayersAndUnitsAreCountedAgainstTheLimits) {
  model::v1::TrainingSpec spec = CompleteSpecOf(
      "network { layers { dense { units: 3 } } layers { dropout { rate: 0.5 } } layers { dense { "
      "units: 1 } } }");

  EXPECT_TRUE(Validate(spec, {.layers_max = 3, .units_max = 3}).ok());
  EXPECT_THAT(
      Validate(spec, {.layers_max = 2}),
      Fails(absl::StatusCode::kInvalidArgument, "network.layers must have 1 to 2 layers, found 3"));
  EXPECT_THAT(Validate(spec, {.units_max = 2}),
              Fails(absl::StatusCode::kInvalidArgument,
                    "network.layers[0].dense.units must be in [1, 2], found 3"));
  spec.mutable_network()->mutable_layers(2)->mutable_dense()->set_units(0);
  EXPECT_THAT(Validate(spec, {.units_max = 3}),
              Fails(absl::StatusCode::kInvalidArgument,
                    "network.layers[2].dense.units must be in [1, 3], found 0"));
  spec.clear_network();
  EXPECT_THAT(
      Validate(spec, {.layers_max = 3}),
      Fails(absl::StatusCode::kInvalidArgument, "network.layers must have 1 to 3 layers, found 0"));
}

TEST(SpecTest, BindingChoosesTheLossOfTheTask) {
  const schema::v1::TransformSet transforms = BinaryTransforms();

  const auto bound = Bind(CompleteSpecOf(kNetwork), {.transforms = transforms, .train_count = 1});

  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(bound->loss.kind(), model::v1::LOSS_BINARY_CROSSENTROPY);
  EXPECT_EQ(bound->network.inputs(), 3);
}

TEST(SpecTest, ANetworkWhoseOutputsDoNotFitTheTaskIsRefused) {
  schema::v1::TransformSet transforms = BinaryTransforms();
  transforms.set_task(schema::v1::TASK_MULTICLASS);
  transforms.mutable_label()->add_classes("maybe");

  EXPECT_THAT(Bind(CompleteSpecOf(kNetwork), {.transforms = transforms, .train_count = 1}),
              Fails(absl::StatusCode::kInvalidArgument, "3"));
}

TEST(SpecTest, ADatasetWithoutALabelCannotBeLearned) {
  schema::v1::TransformSet transforms = BinaryTransforms();
  transforms.set_task(schema::v1::TASK_UNSPECIFIED);

  const auto bound = Bind(CompleteSpecOf(kNetwork), {.transforms = transforms, .train_count = 1});

  EXPECT_THAT(bound, Fails(absl::StatusCode::kFailedPrecondition, "no label"));
  EXPECT_THAT(Fix(bound.status()), HasSubstr("name the column"));
}

TEST(SpecTest, EarlyStoppingNeedsAValidationSplit) {
  const schema::v1::TransformSet transforms = BinaryTransforms();
  const auto spec = CompleteSpecOf(std::string(kNetwork) + " early_stopping { patience: 3 }");

  const auto bound =
      Bind(spec, {.transforms = transforms, .train_count = 10, .validation_count = 0});

  EXPECT_THAT(bound, Fails(absl::StatusCode::kInvalidArgument, "training.early_stopping"));
  EXPECT_THAT(Fix(bound.status()), HasSubstr("validation_fraction"));
  EXPECT_TRUE(
      Bind(spec, {.transforms = transforms, .train_count = 10, .validation_count = 1}).ok());
}

TEST(SpecTest, AnEmptyTrainSplitIsRefused) {
  const schema::v1::TransformSet transforms = BinaryTransforms();

  EXPECT_THAT(Bind(CompleteSpecOf(kNetwork), {.transforms = transforms}),
              Fails(absl::StatusCode::kFailedPrecondition, "no train examples"));
}

}  // namespace
}  // namespace millrace::training
