#include "services/training/evaluate/evaluator.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "tests/unit/services/training/fails.h"

namespace millrace::training {
namespace {

using network::InferencePlan;
using network::InferenceScratch;
using network::Loss;
using network::Network;

struct Model {
  model::v1::NetworkSpec spec;
  Network network;
  Loss loss;
  Evaluator evaluator;
};

Model ModelOf(const std::string& text,
              std::int64_t inputs,
              schema::v1::Task task,
              std::int64_t classes) {
  model::v1::NetworkSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  const Network network = Network::Create(spec, inputs).value();
  const Loss loss = Loss::Create(model::v1::LOSS_UNSPECIFIED, network, task, classes).value();
  return {.spec = spec,
          .network = network,
          .loss = loss,
          .evaluator = Evaluator::Create(spec, network, loss, task).value()};
}

constexpr char kOneSigmoid[] = "layers { dense { units: 1 activation: ACTIVATION_SIGMOID } }";

// One weight of 1 and no bias: the logit is the input.
const std::vector<float> kIdentity{1, 0};

TEST(EvaluatorTest, LossIsTheMeanOfWhatTheLogitsSay) {
  Model model = ModelOf(kOneSigmoid, 1, schema::v1::TASK_BINARY, 2);
  const std::vector<float> x{0.5F, -1, 2};
  const std::vector<float> labels{1, 0, 0};

  const auto evaluation = model.evaluator.Evaluate(
      kIdentity, {.split = schema::v1::SPLIT_TEST, .x = x, .labels = labels});

  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  const double expected =
      (std::log1p(std::exp(-0.5)) + std::log1p(std::exp(-1.0)) + std::log1p(std::exp(2.0))) / 3;
  EXPECT_NEAR(evaluation->loss(), expected, 1e-6);
  EXPECT_EQ(evaluation->split(), schema::v1::SPLIT_TEST);
  EXPECT_EQ(evaluation->example_count(), 3);
  EXPECT_DOUBLE_EQ(evaluation->accuracy(), 2.0 / 3);
}

// From the probability alone, which is 1 in float, the loss could not be told from a clipped 16.1.
TEST(EvaluatorTest, ASureMistakeCostsItsLogitAndNotAClippedOne) {
  Model model = ModelOf(kOneSigmoid, 1, schema::v1::TASK_BINARY, 2);
  const std::vector<float> x{40};
  const std::vector<float> labels{0};

  const auto evaluation = model.evaluator.Evaluate(kIdentity, {.x = x, .labels = labels});

  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  EXPECT_NEAR(evaluation->loss(), 40, 1e-4);
}

TEST(EvaluatorTest, ASoftmaxOfItsOwnLayerIsFoldedLikewise) {
  Model model = ModelOf("layers { dense { units: 3 } } layers { activation: ACTIVATION_SOFTMAX }",
                        1,
                        schema::v1::TASK_MULTICLASS,
                        3);
  const std::vector<float> weights{1, 2, 3, 0, 0, 0};
  const std::vector<float> x{50};
  const std::vector<float> labels{0};

  const auto evaluation = model.evaluator.Evaluate(weights, {.x = x, .labels = labels});

  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  EXPECT_NEAR(evaluation->loss(), 100, 1e-3);
}

// Goal: figures are of the predictions that serving gives. Method: more rows than one pass takes,
// each beside the row alone through a plan and the loss as serving calls them.
TEST(EvaluatorTest, AnswersAreThoseOfARowServedAloneBitForBit) {
  Model model = ModelOf(
      "layers { dense { units: 17 activation: ACTIVATION_TANH } } layers { dropout { rate: 0.5 } } "
      "layers { dense { units: 1 activation: ACTIVATION_SIGMOID } }",
      5,
      schema::v1::TASK_BINARY,
      2);
  constexpr std::size_t kRows = 2500;
  std::vector<float> weights(static_cast<std::size_t>(model.network.parameter_count()));
  model.network.Initialize(4, weights);
  std::vector<float> x(kRows * 5);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(i % 101) / 50 - 1;
  }

  const auto answers = model.evaluator.Answers(weights, x);

  ASSERT_TRUE(answers.ok()) << answers.status();
  const auto plan = InferencePlan::Create(model.network, weights).value();
  InferenceScratch scratch;
  for (std::size_t row = 0; row < kRows; ++row) {
    std::vector<float> y(1);
    std::vector<float> probabilities(2);
    plan.Run(1, std::span<const float>(x).subspan(row * 5, 5), y, scratch);
    model.loss.Probabilities(1, y, probabilities);
    ASSERT_EQ((*answers)[2 * row], probabilities[0]) << row;
    ASSERT_EQ((*answers)[2 * row + 1], probabilities[1]) << row;
  }
}

TEST(EvaluatorTest, ARegressionIsMeasuredInItsTargetsUnit) {
  Model model = ModelOf("layers { dense { units: 1 } }", 1, schema::v1::TASK_REGRESSION, 0);
  const std::vector<float> x{2, 1, 8};
  const std::vector<float> labels{1, 2, 6};

  const auto evaluation = model.evaluator.Evaluate(kIdentity, {.x = x, .labels = labels});

  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  EXPECT_DOUBLE_EQ(evaluation->loss(), 2);
  EXPECT_DOUBLE_EQ(evaluation->mean_absolute_error(), 4.0 / 3);
  EXPECT_FALSE(evaluation->has_accuracy());
}

TEST(EvaluatorTest, ASplitThatDoesNotFitIsRefused) {
  Model model = ModelOf(kOneSigmoid, 1, schema::v1::TASK_BINARY, 2);
  const std::vector<float> x{1, 2};
  const std::vector<float> labels{1};

  EXPECT_THAT(model.evaluator.Evaluate(kIdentity, {.x = x, .labels = labels}),
              Fails(absl::StatusCode::kInvalidArgument, "found 2 floats"));
  EXPECT_THAT(model.evaluator.Evaluate(kIdentity, {}),
              Fails(absl::StatusCode::kInvalidArgument, "0 labels"));
}

}  // namespace
}  // namespace millrace::training
