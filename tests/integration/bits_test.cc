// Equal to the last bit: weights on any number of threads, and a row's answer in any company.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/integration/raw_table.h"

namespace millrace::integration {
namespace {

class BitsTest : public LocalServicesTest {
 protected:
  static pipeline::v1::PipelineSpec BreastCancer(const std::string& model) {
    auto pipeline = ReadExample("breast_cancer.yaml").value();
    pipeline.set_model(model);
    return pipeline;
  }

  // A network whose layers are wide enough for a second thread.
  static model::v1::TrainingSpec WideSpec(int threads) {
    model::v1::TrainingSpec spec;
    for (const int units : {256, 128}) {
      auto& dense = *spec.mutable_network()->add_layers()->mutable_dense();
      dense.set_units(units);
      dense.set_activation(model::v1::ACTIVATION_RELU);
      spec.mutable_network()->add_layers()->mutable_dropout()->set_rate(0.1);
    }
    auto& last = *spec.mutable_network()->add_layers()->mutable_dense();
    last.set_units(1);
    last.set_activation(model::v1::ACTIVATION_SIGMOID);
    spec.set_epochs(4);
    spec.set_batch_size(128);
    spec.set_seed(11);
    spec.set_threads(threads);
    return spec;
  }

  static training::v1::Run RunOnThreads(const std::string& version, int threads) {
    return Train(clients().training(), RunRequest(version, "threads", WideSpec(threads))).value();
  }
};

TEST_F(BitsTest, TheSameDigestSpecAndSeedGiveTheSameWeightsOnOneAndTwoThreads) {
  const auto version = Import(clients().data(),
                              HeaderOf("threads", "breast_cancer.csv", "diagnosis"),
                              ReadFile("tests/data/breast_cancer.csv"))
                           .value();
  const training::v1::Run one = RunOnThreads(version.name(), 1);
  const training::v1::Run two = RunOnThreads(version.name(), 2);
  ASSERT_EQ(one.state(), training::v1::Run::STATE_SUCCEEDED) << one.failure();
  ASSERT_EQ(two.state(), training::v1::Run::STATE_SUCCEEDED) << two.failure();
  EXPECT_EQ(one.weights_sha256(), two.weights_sha256());
  EXPECT_EQ(BytesOf(EvaluationOf(one, schema::v1::SPLIT_TEST)),
            BytesOf(EvaluationOf(two, schema::v1::SPLIT_TEST)));

  model::v1::TrainingSpec other = WideSpec(1);
  other.set_seed(12);
  const training::v1::Run seeded =
      Train(clients().training(), RunRequest(version.name(), "threads", other)).value();
  ASSERT_EQ(seeded.state(), training::v1::Run::STATE_SUCCEEDED) << seeded.failure();
  EXPECT_NE(seeded.weights_sha256(), one.weights_sha256());
}

TEST_F(BitsTest, ARowsAnswerIsTheSameAloneFirstLastAndAmongUpToTwoHundredOthers) {
  const auto pipeline = BreastCancer("company");
  const Trained trained = Apply(clients(), pipeline).value();
  const RawTable table = ParseTable(FileOf(pipeline));
  const std::string& model = trained.run.model();
  const auto alone = [&](std::size_t row) {
    return PredictBits(clients().serving(), RequestOf(model, table, std::vector{row})).value()[0];
  };
  constexpr std::size_t kRow = 137;
  const std::string expected = alone(kRow);
  EXPECT_NE(expected, alone(kRow + 1));

  for (std::size_t others = 2; others <= 200; ++others) {
    // The row first, last and in the middle of `others` rows.
    std::vector<std::size_t> rows(others + 3);
    std::iota(rows.begin(), rows.end(), others % 300);
    const std::size_t middle = rows.size() / 2;
    rows.front() = rows.back() = rows[middle] = kRow;
    const auto bits = PredictBits(clients().serving(), RequestOf(model, table, rows)).value();
    ASSERT_EQ(bits.size(), rows.size());
    EXPECT_EQ(bits.front(), expected) << "first among " << others;
    EXPECT_EQ(bits[middle], expected) << "in the middle of " << others;
    EXPECT_EQ(bits.back(), expected) << "last among " << others;
  }
}

TEST_F(BitsTest, EveryRowOfAFileGetsTheAnswerThatItGetsAlone) {
  auto pipeline = ReadExample("iris.yaml").value();
  pipeline.set_model("each_row");
  const Trained trained = Apply(clients(), pipeline).value();
  const RawTable table = ParseTable(FileOf(pipeline));
  const std::string& model = trained.run.model();
  const auto together = PredictBits(clients().serving(), RequestOf(model, table)).value();
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const auto request = RequestOf(model, table, std::vector{row});
    EXPECT_EQ(PredictBits(clients().serving(), request).value()[0], together[row]) << "row " << row;
  }
}

// What was served for the raw rows of the test split, beside the trainer's figures of it.
struct ServedTest {
  model::v1::Evaluation reported;
  serving::v1::PredictResponse response;
  std::vector<float> labels;
};

ServedTest ServeTestSplit(Clients& clients, const Trained& trained, const RawTable& table) {
  const auto examples =
      ReadSplit(clients.data(), SplitRequest(trained.version.name(), schema::v1::SPLIT_TEST))
          .value();
  const auto rows = RowsOfExamples(trained.version.transforms(), table, examples).value();
  return {.reported = EvaluationOf(trained.run, schema::v1::SPLIT_TEST),
          .response = Call(clients.serving(),
                           &ServingStub::Predict,
                           RequestOf(trained.run.model(), table, rows))
                          .value(),
          .labels = examples.labels};
}

TEST_F(BitsTest, TheTrainersFiguresOfTheTestSplitFollowFromServedProbabilities) {
  const auto pipeline = BreastCancer("figures");
  const Trained trained = Apply(clients(), pipeline).value();
  const ServedTest served = ServeTestSplit(clients(), trained, ParseTable(FileOf(pipeline)));
  ASSERT_EQ(served.response.predictions_size(), trained.version.test_count());

  std::vector<std::int64_t> confusion(4);
  double loss = 0;
  double slack =
      0;  // a float32 probability is off by half a last place, and the exponential by one
  for (std::size_t row = 0; row < served.labels.size(); ++row) {
    const auto& p = served.response.predictions(static_cast<int>(row)).probabilities();
    const auto actual = static_cast<std::size_t>(served.labels[row]);
    const std::size_t predicted = p[1] > 0.5F ? 1 : 0;
    ++confusion[2 * actual + predicted];
    const double answer = p[static_cast<int>(actual)];
    loss -= std::log(answer);
    slack += std::ldexp(2.0, -24) / answer;
  }
  const auto count = static_cast<double>(served.labels.size());
  const model::v1::Evaluation& reported = served.reported;
  EXPECT_THAT(reported.confusion(), testing::ElementsAreArray(confusion));
  EXPECT_DOUBLE_EQ(reported.accuracy(), static_cast<double>(confusion[0] + confusion[3]) / count);
  EXPECT_DOUBLE_EQ(
      reported.precision(),
      static_cast<double>(confusion[3]) / static_cast<double>(confusion[1] + confusion[3]));
  EXPECT_DOUBLE_EQ(
      reported.recall(),
      static_cast<double>(confusion[3]) / static_cast<double>(confusion[2] + confusion[3]));
  EXPECT_NEAR(reported.loss(), loss / count, slack / count);
}

TEST_F(BitsTest, TheTrainersRankingOfTheTestSplitIsThatOfServedProbabilities) {
  const auto pipeline = BreastCancer("ranking");
  const Trained trained = Apply(clients(), pipeline).value();
  const ServedTest served = ServeTestSplit(clients(), trained, ParseTable(FileOf(pipeline)));
  double pairs = 0;
  double won = 0;
  const auto score = [&](std::size_t row) {
    return served.response.predictions(static_cast<int>(row)).probabilities(1);
  };
  for (std::size_t positive = 0; positive < served.labels.size(); ++positive) {
    for (std::size_t negative = 0; negative < served.labels.size(); ++negative) {
      if (served.labels[positive] == 1 && served.labels[negative] == 0) {
        ++pairs;
        won += score(positive) > score(negative) ? 1 : score(positive) == score(negative) ? 0.5 : 0;
      }
    }
  }
  ASSERT_GT(pairs, 0);
  EXPECT_DOUBLE_EQ(served.reported.roc_auc(), won / pairs);
}

// A regression's loss is made of the served values and nothing else, so it agrees to the last
// rounding of a double.
TEST_F(BitsTest, TheTrainersLossOfARegressionIsThatOfServedValues) {
  auto pipeline = ReadExample("iris.yaml").value();
  pipeline.mutable_dataset()->set_name("petals");
  pipeline.mutable_dataset()->mutable_options()->set_label("petal width (cm)");
  pipeline.set_model("petals");
  auto& training = *pipeline.mutable_training();
  training.set_loss(model::v1::LOSS_MEAN_SQUARED_ERROR);
  auto& last = *training.mutable_network()->mutable_layers()->rbegin()->mutable_dense();
  last.set_units(1);
  last.clear_activation();
  const Trained trained = Apply(clients(), pipeline).value();
  const ServedTest served = ServeTestSplit(clients(), trained, ParseTable(FileOf(pipeline)));

  double squared = 0;
  double absolute = 0;
  for (std::size_t row = 0; row < served.labels.size(); ++row) {
    const double value = served.response.predictions(static_cast<int>(row)).value();
    const double error = value - static_cast<double>(served.labels[row]);
    squared += error * error;
    absolute += std::abs(error);
  }
  const auto count = static_cast<double>(served.labels.size());
  EXPECT_DOUBLE_EQ(served.reported.loss(), squared / count);
  EXPECT_DOUBLE_EQ(served.reported.root_mean_squared_error(), std::sqrt(squared / count));
  EXPECT_DOUBLE_EQ(served.reported.mean_absolute_error(), absolute / count);
  EXPECT_LT(served.reported.root_mean_squared_error(), 0.4);
}

// Cells that are denormal doubles, and fill the whole range of their column once they are scaled:
// whoever flushed them to zero would encode them all alike.
TEST_F(BitsTest, ARowWithDenormalCellsIsEncodedAlikeByDataAndServing) {
  std::string bytes = "tiny,y\n";
  for (int row = 0; row < 120; ++row) {
    bytes += fmt::format("{}.{:03}e-310,{}.5\n", 1 + row * 13 % 97, row, row * 13 % 97);
  }
  const auto version = Import(clients().data(), HeaderOf("tiny", "tiny.csv", "y"), bytes).value();
  model::v1::TrainingSpec spec;
  spec.mutable_network()->add_layers()->mutable_dense()->set_units(1);
  spec.set_epochs(3);
  const training::v1::Run run =
      Train(clients().training(), RunRequest(version.name(), "tiny", spec)).value();
  ASSERT_EQ(run.state(), training::v1::Run::STATE_SUCCEEDED) << run.failure();
  const auto examples =
      ReadSplit(clients().data(), SplitRequest(version.name(), schema::v1::SPLIT_TEST)).value();
  float least = 1;
  float most = 0;
  for (const std::vector<float>& row : examples.x) {
    least = std::min(least, row[0]);
    most = std::max(most, row[0]);
  }
  EXPECT_GT(most - least, 0.5F);

  const ServedTest served =
      ServeTestSplit(clients(), {.version = version, .run = run}, ParseTable(bytes));

  double squared = 0;
  for (std::size_t row = 0; row < served.labels.size(); ++row) {
    const double value = served.response.predictions(static_cast<int>(row)).value();
    const double error = value - static_cast<double>(served.labels[row]);
    squared += error * error;
  }
  EXPECT_DOUBLE_EQ(served.reported.loss(), squared / static_cast<double>(served.labels.size()));
}

}  // namespace
}  // namespace millrace::integration
