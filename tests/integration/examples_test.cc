// What the examples of deploy/examples promise, held against the files as they are.

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"

namespace millrace::integration {
namespace {

using training::v1::RunEvent;

class ExamplesTest : public LocalServicesTest {
 protected:
  // Test accuracy of an example with five seeds, of the split and of the training alike.
  static std::vector<double> AccuraciesOf(const std::string& example) {
    constexpr int kSeeds = 5;
    std::vector<double> accuracies;
    auto pipeline = ReadExample(example).value();
    for (int seed = 1; seed <= kSeeds; ++seed) {
      pipeline.mutable_dataset()->mutable_options()->set_split_seed(seed);
      pipeline.mutable_training()->set_seed(seed);
      const Trained trained = Apply(clients(), pipeline).value();
      EXPECT_EQ(trained.version.options().split_seed(), seed);
      accuracies.push_back(EvaluationOf(trained.run, schema::v1::SPLIT_TEST).accuracy());
    }
    return accuracies;
  }

  static double MedianOf(std::vector<double> figures) {
    std::sort(figures.begin(), figures.end());
    return figures[figures.size() / 2];
  }
};

TEST_F(ExamplesTest, BreastCancerIsToldRightInNineteenOfTwentyRowsThatWereNeverSeen) {
  const std::vector<double> accuracies = AccuraciesOf("breast_cancer.yaml");
  EXPECT_GE(MedianOf(accuracies), 0.95) << testing::PrintToString(accuracies);
}

TEST_F(ExamplesTest, IrisIsToldRightInMoreThanNineOfTenRowsThatWereNeverSeen) {
  const std::vector<double> accuracies = AccuraciesOf("iris.yaml");
  EXPECT_GE(MedianOf(accuracies), 0.93) << testing::PrintToString(accuracies);
}

TEST_F(ExamplesTest, TheFirstExampleRunsAsWrittenAndLearns) {
  const Trained trained = Apply(clients(), ReadExample("seed.yaml").value()).value();
  EXPECT_EQ(trained.version.row_count(), 1'000);
  EXPECT_EQ(trained.run.epochs_done(), 100);
  EXPECT_GE(EvaluationOf(trained.run, schema::v1::SPLIT_TEST).accuracy(), 0.95);

  std::vector<double> losses;
  const auto events = Watch(clients().training(), trained.run.name()).value();
  for (const RunEvent& event : events) {
    if (event.has_epoch()) {
      losses.push_back(event.epoch().train_loss());
    }
  }
  ASSERT_EQ(losses.size(), 100);
  // Of each ten epochs the last is better than that of the ten before.
  for (std::size_t epoch = 19; epoch < losses.size(); epoch += 10) {
    EXPECT_LT(losses[epoch], losses[epoch - 10]) << "epoch " << epoch + 1;
  }
  EXPECT_LT(losses.back(), losses.front() / 2);
}

TEST_F(ExamplesTest, TheTrainingSpecAloneFitsADatasetThatIsImportedAlready) {
  auto pipeline = ReadExample("breast_cancer.yaml").value();
  pipeline.set_model("spec_alone");
  *pipeline.mutable_training() = ReadTrainingSpec("training.yaml").value();
  const Trained trained = Apply(clients(), pipeline).value();
  EXPECT_GE(EvaluationOf(trained.run, schema::v1::SPLIT_TEST).accuracy(), 0.9);
}

}  // namespace
}  // namespace millrace::integration
