#include "services/training/evaluate/baseline.h"

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace millrace::training {
namespace {

using network::Loss;
using network::Network;

// The baseline of a network of one layer of so many units beside labels.
struct Subject {
  std::string activation = "ACTIVATION_UNSPECIFIED";
  int units = 1;
  model::v1::Loss loss = model::v1::LOSS_UNSPECIFIED;
  schema::v1::Task task = schema::v1::TASK_BINARY;
  std::int64_t classes = 2;
};

model::v1::Baseline BaselineOf(const Subject& subject,
                               const std::vector<float>& train,
                               const std::vector<float>& labels) {
  model::v1::NetworkSpec spec;
  const std::string text = "layers { dense { units: " + std::to_string(subject.units) +
                           " activation: " + subject.activation + " } }";
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  const Network network = Network::Create(spec, 3).value();
  const auto loss = Loss::Create(subject.loss, network, subject.task, subject.classes);
  EXPECT_TRUE(loss.ok()) << loss.status();
  return ConstantBaseline(*loss, network.outputs(), train, labels);
}

// Three of four in train are of class 1.
const std::vector<float> kTrain{1, 1, 0, 1};
const std::vector<float> kLabels{1, 0};
const double kLogLoss = -(std::log(0.75) + std::log(0.25)) / 2;

TEST(BaselineTest, TwoClassesByTheirSharesHoweverTheNetworkSaysThem) {
  for (const Subject& subject : {Subject{.activation = "ACTIVATION_SIGMOID"},
                                 Subject{},  // logits
                                 Subject{.activation = "ACTIVATION_SOFTMAX", .units = 2}}) {
    const model::v1::Baseline baseline = BaselineOf(subject, kTrain, kLabels);

    EXPECT_EQ(baseline.name(), "constant");
    EXPECT_NEAR(baseline.loss(), kLogLoss, 1e-6) << subject.activation;
    EXPECT_DOUBLE_EQ(baseline.accuracy(), 0.5);
    EXPECT_FALSE(baseline.has_root_mean_squared_error());
  }
}

// The loss is the run's own, so that the two can be compared.
TEST(BaselineTest, UnderSquaredErrorTheSharesCostTheirSquares) {
  const model::v1::Baseline baseline =
      BaselineOf({.activation = "ACTIVATION_SIGMOID", .loss = model::v1::LOSS_MEAN_SQUARED_ERROR},
                 kTrain,
                 kLabels);

  EXPECT_NEAR(baseline.loss(), (0.25 * 0.25 + 0.75 * 0.75) / 2, 1e-6);
}

TEST(BaselineTest, AClassThatTrainNeverHadCostsAClippedShare) {
  const model::v1::Baseline baseline = BaselineOf({.activation = "ACTIVATION_SOFTMAX",
                                                   .units = 3,
                                                   .task = schema::v1::TASK_MULTICLASS,
                                                   .classes = 3},
                                                  {0, 0, 1},
                                                  {2, 0});

  EXPECT_NEAR(baseline.loss(), -(std::log(1e-7) + std::log(2.0 / 3)) / 2, 1e-4);
  EXPECT_DOUBLE_EQ(baseline.accuracy(), 0.5);
}

TEST(BaselineTest, ANumberByItsMean) {
  const model::v1::Baseline baseline =
      BaselineOf({.task = schema::v1::TASK_REGRESSION, .classes = 0}, {1, 3}, {2, 4});

  EXPECT_NEAR(baseline.loss(), 2, 1e-6);  // errors of 0 and 2
  EXPECT_NEAR(baseline.root_mean_squared_error(), std::sqrt(2), 1e-6);
  EXPECT_FALSE(baseline.has_accuracy());
}

TEST(BaselineTest, OnlyALargerLossIsWorse) {
  model::v1::Evaluation evaluation;
  evaluation.set_split(schema::v1::SPLIT_VALIDATION);
  auto& constant = *evaluation.add_baselines();
  constant.set_name("constant");
  constant.set_loss(0.66);
  constant.set_accuracy(0.6);
  evaluation.set_loss(0.66);
  EXPECT_EQ(WorseThanConstant(evaluation), "");

  evaluation.set_loss(0.71);
  EXPECT_EQ(WorseThanConstant(evaluation),
            "on validation its loss 0.71 is worse than always answering train's class shares, "
            "0.66");

  evaluation.set_split(schema::v1::SPLIT_TEST);
  constant.clear_accuracy();
  EXPECT_THAT(WorseThanConstant(evaluation), testing::HasSubstr("on test its loss"));
  EXPECT_THAT(WorseThanConstant(evaluation), testing::HasSubstr("train's mean, 0.66"));
}

}  // namespace
}  // namespace millrace::training
