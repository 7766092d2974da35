#include "services/training/evaluate/metrics.h"

#include <cmath>
#include <cstddef>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::training {
namespace {

using model::v1::Evaluation;
using testing::ElementsAre;

// Rows 1 - p and p.
std::vector<float> Pairs(const std::vector<float>& positive) {
  std::vector<float> pairs;
  for (const float p : positive) {
    pairs.push_back(1 - p);
    pairs.push_back(p);
  }
  return pairs;
}

// By hand: called positive 0.9 (right), 0.8 (right), 0.7 (wrong); called negative 0.4 (wrong),
// 0.3, 0.2 (right). Of the 9 pairs of a positive and a negative, 7 are in order.
TEST(MetricsTest, BinaryFiguresAreThoseOfTheLastClass) {
  Evaluation evaluation;

  MeasureClassification(2,
                        Pairs({0.9F, 0.8F, 0.7F, 0.4F, 0.3F, 0.2F}),
                        std::vector<float>{1, 1, 0, 1, 0, 0},
                        evaluation);

  EXPECT_DOUBLE_EQ(evaluation.accuracy(), 4.0 / 6);
  EXPECT_DOUBLE_EQ(evaluation.precision(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(evaluation.recall(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(evaluation.f1(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(evaluation.roc_auc(), 8.0 / 9);
  EXPECT_THAT(evaluation.confusion(), ElementsAre(2, 1, 1, 2));
}

TEST(MetricsTest, OneHalfIsNotOverOneHalf) {
  EXPECT_EQ(PredictedClass(std::vector<float>{0.5F, 0.5F}), 0);
  EXPECT_EQ(PredictedClass(std::vector<float>{0.5F, std::nextafter(0.5F, 1.0F)}), 1);
}

TEST(MetricsTest, OfEquallyProbableClassesTheFirstIsPredicted) {
  EXPECT_EQ(PredictedClass(std::vector<float>{0.2F, 0.4F, 0.4F}), 1);
  EXPECT_EQ(PredictedClass(std::vector<float>{0.1F, 0.2F, 0.7F}), 2);
}

TEST(MetricsTest, NothingCalledPositiveGivesZeroAndNotAnError) {
  Evaluation evaluation;

  MeasureClassification(2, Pairs({0.1F, 0.2F}), std::vector<float>{0, 1}, evaluation);

  EXPECT_EQ(evaluation.precision(), 0);
  EXPECT_EQ(evaluation.recall(), 0);
  EXPECT_EQ(evaluation.f1(), 0);
  EXPECT_EQ(evaluation.accuracy(), 0.5);
}

// By hand: class 0 is hit 2 of 2, class 1 is hit 1 of 2, class 2 is hit 0 of 1; predicted are
// 0, 0, 1, 2, 1. Precisions 1, 1/2, 0; recalls 1, 1/2, 0; F1 1, 1/2, 0.
TEST(MetricsTest, FiguresOfManyClassesAreMeansOverTheClasses) {
  const std::vector<float> probabilities{0.8F,
                                         0.1F,
                                         0.1F,  //
                                         0.5F,
                                         0.3F,
                                         0.2F,  //
                                         0.2F,
                                         0.6F,
                                         0.2F,  //
                                         0.1F,
                                         0.2F,
                                         0.7F,  //
                                         0.3F,
                                         0.4F,
                                         0.3F};  //
  Evaluation evaluation;

  MeasureClassification(3, probabilities, std::vector<float>{0, 0, 1, 1, 2}, evaluation);

  EXPECT_DOUBLE_EQ(evaluation.accuracy(), 3.0 / 5);
  EXPECT_DOUBLE_EQ(evaluation.precision(), 0.5);
  EXPECT_DOUBLE_EQ(evaluation.recall(), 0.5);
  EXPECT_DOUBLE_EQ(evaluation.f1(), 0.5);
  EXPECT_THAT(evaluation.confusion(), ElementsAre(2, 0, 0, 0, 1, 1, 0, 1, 0));
  // Against the rest: class 0 orders 6 of 6 pairs; class 1 (0.6 and 0.2 against 0.1, 0.3 and 0.4)
  // 3 + 1 of 6; class 2 (0.3 against 0.1, 0.2, 0.2 and 0.7) 3 of 4.
  EXPECT_NEAR(evaluation.roc_auc(), (1 + 4.0 / 6 + 3.0 / 4) / 3, 1e-15);
}

TEST(MetricsTest, TiedScoresCountOneHalf) {
  const std::vector<float> labels{1, 0, 1, 0};

  EXPECT_DOUBLE_EQ(*RocAuc(std::vector<float>{0.5F, 0.5F, 0.5F, 0.5F}, labels, 1), 0.5);
  // 0.9 beats both; 0.4 ties with one and loses to none... of 4 pairs 2 + 1/2 + 1 are in order.
  EXPECT_DOUBLE_EQ(*RocAuc(std::vector<float>{0.9F, 0.4F, 0.4F, 0.1F}, labels, 1), 3.5 / 4);
}

TEST(MetricsTest, APerfectOrderIsOneAndItsReverseZero) {
  const std::vector<float> labels{0, 0, 1, 1};

  EXPECT_EQ(*RocAuc(std::vector<float>{0.1F, 0.2F, 0.3F, 0.4F}, labels, 1), 1);
  EXPECT_EQ(*RocAuc(std::vector<float>{0.4F, 0.3F, 0.2F, 0.1F}, labels, 1), 0);
}

TEST(MetricsTest, AClassThatDoesNotOccurLeavesTheAreaOut) {
  Evaluation evaluation;

  MeasureClassification(2, Pairs({0.9F, 0.2F}), std::vector<float>{1, 1}, evaluation);

  EXPECT_FALSE(evaluation.has_roc_auc());
  EXPECT_TRUE(evaluation.has_accuracy());
}

TEST(MetricsTest, ConfusionIsWrittenUpToAHundredClasses) {
  for (const std::int64_t classes : {kConfusionClassesMax, kConfusionClassesMax + 1}) {
    std::vector<float> probabilities(static_cast<std::size_t>(classes), 0);
    probabilities[3] = 1;
    Evaluation evaluation;

    MeasureClassification(classes, probabilities, std::vector<float>{3}, evaluation);

    EXPECT_EQ(evaluation.confusion_size(), classes == 100 ? 10'000 : 0);
    EXPECT_EQ(evaluation.accuracy(), 1);
  }
}

// By hand: errors 1, -1, 2 around targets 1, 2, 6 with mean 3: sums 4, 6 and 14.
TEST(MetricsTest, RegressionFiguresAreTheTextbooks) {
  Evaluation evaluation;

  MeasureRegression(std::vector<float>{2, 1, 8}, std::vector<float>{1, 2, 6}, evaluation);

  EXPECT_DOUBLE_EQ(evaluation.mean_absolute_error(), 4.0 / 3);
  EXPECT_DOUBLE_EQ(evaluation.root_mean_squared_error(), std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(evaluation.r_squared(), 1 - 6.0 / 14);
}

TEST(MetricsTest, AConstantTargetHasNoRSquared) {
  Evaluation evaluation;

  MeasureRegression(std::vector<float>{2, 1}, std::vector<float>{0.1F, 0.1F}, evaluation);

  EXPECT_FALSE(evaluation.has_r_squared());
  EXPECT_TRUE(evaluation.has_mean_absolute_error());
}

}  // namespace
}  // namespace millrace::training
