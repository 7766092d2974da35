#include "common/network/loss.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reference_network.h"

namespace millrace::network {
namespace {

using testing::HasSubstr;
using enum model::v1::Loss;
using enum schema::v1::Task;

absl::StatusOr<Loss> Make(model::v1::Loss kind,
                          const std::string& last,
                          schema::v1::Task task,
                          std::int64_t classes = 0) {
  return Loss::Create(kind, MakeNetwork({last}, 3), task, classes);
}

std::string Refusal(const absl::StatusOr<Loss>& loss) {
  EXPECT_EQ(loss.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(loss.status().message());
}

TEST(LossTest, ChoosesTheLossFromTheTask) {
  EXPECT_EQ(Make(LOSS_UNSPECIFIED, "dense 1 sigmoid", TASK_BINARY)->kind(),
            LOSS_BINARY_CROSSENTROPY);
  EXPECT_EQ(Make(LOSS_UNSPECIFIED, "dense 1", TASK_BINARY)->kind(),
            LOSS_BINARY_CROSSENTROPY_FROM_LOGITS);
  EXPECT_EQ(Make(LOSS_UNSPECIFIED, "dense 2 softmax", TASK_BINARY)->kind(),
            LOSS_CATEGORICAL_CROSSENTROPY);
  EXPECT_EQ(Make(LOSS_UNSPECIFIED, "dense 3 softmax", TASK_MULTICLASS, 3)->kind(),
            LOSS_CATEGORICAL_CROSSENTROPY);
  EXPECT_EQ(Make(LOSS_UNSPECIFIED, "dense 3", TASK_MULTICLASS, 3)->kind(),
            LOSS_CATEGORICAL_CROSSENTROPY_FROM_LOGITS);
  EXPECT_EQ(Make(LOSS_UNSPECIFIED, "dense 1", TASK_REGRESSION)->kind(), LOSS_MEAN_SQUARED_ERROR);
}

TEST(LossTest, RefusesOutputsThatDoNotFitTheLabel) {
  EXPECT_THAT(Refusal(Make(LOSS_UNSPECIFIED, "dense 3 softmax", TASK_BINARY)),
              HasSubstr("must have 2"));
  EXPECT_THAT(Refusal(Make(LOSS_UNSPECIFIED, "dense 3 softmax", TASK_MULTICLASS, 4)),
              HasSubstr("must have 4 outputs"));
  EXPECT_THAT(Refusal(Make(LOSS_UNSPECIFIED, "dense 2", TASK_REGRESSION)),
              HasSubstr("must have 1 output "));
  EXPECT_THAT(Refusal(Make(LOSS_BINARY_CROSSENTROPY, "dense 2 sigmoid", TASK_BINARY)),
              HasSubstr("must have 1 output "));
  EXPECT_THAT(Refusal(Make(LOSS_HUBER, "dense 3", TASK_MULTICLASS, 3)),
              HasSubstr("loss huber is for a label that is a number, found a multiclass label"));
  EXPECT_THAT(Refusal(Make(LOSS_BINARY_CROSSENTROPY, "dense 1", TASK_REGRESSION)),
              HasSubstr("two classes"));
  EXPECT_THAT(Refusal(Make(LOSS_CATEGORICAL_CROSSENTROPY, "dense 1", TASK_REGRESSION)),
              HasSubstr("of classes"));
  EXPECT_THAT(Refusal(Make(LOSS_BINARY_CROSSENTROPY_FROM_LOGITS, "dense 1 sigmoid", TASK_BINARY)),
              HasSubstr("no activation"));
  EXPECT_THAT(Refusal(Make(LOSS_MEAN_SQUARED_ERROR, "dense 1 softmax", TASK_REGRESSION)),
              HasSubstr("softmax"));
  EXPECT_THAT(Refusal(Make(LOSS_UNSPECIFIED, "dense 1", TASK_UNSPECIFIED)), HasSubstr("label"));
  EXPECT_THAT(Refusal(Make(LOSS_UNSPECIFIED, "dense 1 softmax", TASK_MULTICLASS, 1)),
              HasSubstr("2 classes"));
  EXPECT_THAT(Refusal(Make(static_cast<model::v1::Loss>(55), "dense 1", TASK_REGRESSION)),
              HasSubstr("found 55"));
}

TEST(LossTest, FoldsTheLastActivationWhereTheFormulaDoes) {
  EXPECT_TRUE(Make(LOSS_BINARY_CROSSENTROPY, "dense 1 sigmoid", TASK_BINARY)->folds_activation());
  EXPECT_TRUE(
      Make(LOSS_CATEGORICAL_CROSSENTROPY, "dense 2 softmax", TASK_BINARY)->folds_activation());
  EXPECT_FALSE(Make(LOSS_BINARY_CROSSENTROPY, "dense 1 relu", TASK_BINARY)->folds_activation());
  EXPECT_FALSE(
      Make(LOSS_CATEGORICAL_CROSSENTROPY, "dense 2 sigmoid", TASK_BINARY)->folds_activation());
  EXPECT_FALSE(
      Make(LOSS_BINARY_CROSSENTROPY_FROM_LOGITS, "dense 1", TASK_BINARY)->folds_activation());
  EXPECT_FALSE(Make(LOSS_MEAN_SQUARED_ERROR, "dense 1 sigmoid", TASK_BINARY)->folds_activation());
}

// Keras' loss at p = 0, t = 1 is -log(1e-7) = 16.118; the folded form has no such bound.
TEST(LossTest, ProbabilitiesAreClippedAsInKerasAndLogitsAreNot) {
  const Loss clipped = Make(LOSS_BINARY_CROSSENTROPY, "dense 1 relu", TASK_BINARY).value();
  const Loss folded = Make(LOSS_BINARY_CROSSENTROPY, "dense 1 sigmoid", TASK_BINARY).value();
  const std::vector<float> y = {0.0F};
  const std::vector<float> label = {1.0F};
  const std::vector<float> logits = {-200.0F};
  std::vector<float> gradient(1);

  EXPECT_NEAR(clipped.Sum(1, y, {}, label), 16.118, 1e-3);
  EXPECT_EQ(folded.Sum(1, y, logits, label), 200.0);
  clipped.Gradient(1, y, label, gradient);
  EXPECT_EQ(gradient[0], 0.0F);
  folded.Gradient(1, y, label, gradient);
  EXPECT_EQ(gradient[0], -1.0F);
}

TEST(LossTest, HuberChangesFromSquareToLineAtOne) {
  const Loss loss = Make(LOSS_HUBER, "dense 1", TASK_REGRESSION).value();
  const std::vector<float> y = {0.5F, 1.0F, 3.0F, -3.0F};
  const std::vector<float> labels(4);
  std::vector<float> gradient(4);

  EXPECT_DOUBLE_EQ(loss.Sum(4, y, {}, labels), 0.125 + 0.5 + 2.5 + 2.5);
  loss.Gradient(4, y, labels, gradient);
  EXPECT_THAT(gradient, testing::ElementsAre(0.125F, 0.25F, 0.25F, -0.25F));
}

TEST(LossTest, AbsoluteErrorHasNoSlopeAtZero) {
  const Loss loss = Make(LOSS_MEAN_ABSOLUTE_ERROR, "dense 1", TASK_REGRESSION).value();
  const std::vector<float> y = {2.0F, 3.0F};
  const std::vector<float> labels = {2.0F, 5.0F};
  std::vector<float> gradient(2);

  loss.Gradient(2, y, labels, gradient);

  EXPECT_THAT(gradient, testing::ElementsAre(0.0F, -0.5F));
  EXPECT_DOUBLE_EQ(loss.Sum(2, y, {}, labels), 2.0);
}

TEST(LossTest, NotANumberReachesSumAndGradient) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const auto kind : {LOSS_MEAN_SQUARED_ERROR, LOSS_MEAN_ABSOLUTE_ERROR, LOSS_HUBER}) {
    const Loss loss = Make(kind, "dense 1", TASK_REGRESSION).value();
    const std::vector<float> y = {nan};
    const std::vector<float> label = {1.0F};
    std::vector<float> gradient(1);
    loss.Gradient(1, y, label, gradient);
    EXPECT_TRUE(std::isnan(loss.Sum(1, y, {}, label))) << kind;
    EXPECT_TRUE(std::isnan(gradient[0])) << kind;
  }
}

TEST(LossTest, ProbabilitiesOfOneOutputAreBothClasses) {
  const std::vector<float> y = {0.25F, 0.5F, 1.0F};
  std::vector<float> p(6);
  const Loss sigmoid = Make(LOSS_UNSPECIFIED, "dense 1 sigmoid", TASK_BINARY).value();
  ASSERT_EQ(sigmoid.probability_count(), 2);
  sigmoid.Probabilities(3, y, p);
  EXPECT_THAT(p, testing::ElementsAre(0.75F, 0.25F, 0.5F, 0.5F, 0.0F, 1.0F));

  const std::vector<float> zero = {0.0F, 0.0F, 0.0F};
  Make(LOSS_UNSPECIFIED, "dense 1", TASK_BINARY)->Probabilities(3, zero, p);
  EXPECT_THAT(p, testing::Each(0.5F));
}

TEST(LossTest, ProbabilitiesOfOneOutputStayWithinTheirRange) {
  const std::vector<float> y = {-0.5F, 1.5F};
  std::vector<float> p(4);
  Make(LOSS_MEAN_SQUARED_ERROR, "dense 1", TASK_BINARY)->Probabilities(2, y, p);

  EXPECT_THAT(p, testing::ElementsAre(1.0F, 0.0F, 0.0F, 1.0F));
}

TEST(LossTest, ProbabilitiesOfClassesSumToOne) {
  const std::vector<float> y = {0.5F, 0.25F, 0.25F, 0.5F, 0.5F, 1.0F};
  std::vector<float> p(6);
  const Loss softmax = Make(LOSS_UNSPECIFIED, "dense 3 softmax", TASK_MULTICLASS, 3).value();
  ASSERT_EQ(softmax.probability_count(), 3);
  softmax.Probabilities(2, y, p);
  EXPECT_EQ(p, y);

  Make(LOSS_CATEGORICAL_CROSSENTROPY, "dense 3 sigmoid", TASK_MULTICLASS, 3)
      ->Probabilities(2, y, p);
  EXPECT_THAT(p, testing::ElementsAre(0.5F, 0.25F, 0.25F, 0.25F, 0.25F, 0.5F));

  Make(LOSS_UNSPECIFIED, "dense 3", TASK_MULTICLASS, 3)->Probabilities(2, y, p);
  EXPECT_NEAR(p[3] + p[4] + p[5], 1.0F, 1e-6F);
  EXPECT_NEAR(p[5] / p[3], std::exp(0.5F), 1e-5F);
}

TEST(LossTest, ProbabilitiesOfARegressionAreItsValues) {
  const std::vector<float> y = {-7.0F, 12.5F};
  std::vector<float> p(2);
  const Loss loss = Make(LOSS_UNSPECIFIED, "dense 1", TASK_REGRESSION).value();
  ASSERT_EQ(loss.probability_count(), 1);

  loss.Probabilities(2, y, p);

  EXPECT_EQ(p, y);
}

}  // namespace
}  // namespace millrace::network
