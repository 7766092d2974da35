// The whole way of the data, from a raw file to a prediction that names it.

#include <string>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "common/storage/sha256.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/integration/raw_table.h"

namespace millrace::integration {
namespace {

using testing::IsEmpty;
using testing::Not;
using training::v1::RunEvent;

// A file on its way, by the example that takes it there.
struct Way {
  const char* name;
  std::string example;
  std::string file_name;
  std::string first_class;  // of two or three, in the order of the model
  std::string raw_answer;   // for the first row of the file
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << way.name;
}

class WayTest : public LocalServicesTest, public testing::WithParamInterface<Way> {
 protected:
  static std::vector<std::int64_t> Sequences(const std::vector<RunEvent>& events) {
    std::vector<std::int64_t> sequences;
    sequences.reserve(events.size());
    for (const RunEvent& event : events) {
      sequences.push_back(event.sequence());
    }
    return sequences;
  }

  static std::string Bytes(const std::vector<RunEvent>& events) {
    std::string bytes;
    for (const RunEvent& event : events) {
      bytes += BytesOf(event);
    }
    return bytes;
  }
};

TEST_P(WayTest, ALineageNamesEveryStopBackToTheBytesOfTheFile) {
  const auto pipeline = ReadExample(GetParam().example).value();
  const std::string file = FileOf(pipeline);
  const Trained trained = Apply(clients(), pipeline).value();
  const RawTable table = ParseTable(file);

  const auto response =
      Call(clients().serving(), &ServingStub::Predict, RequestOf(trained.run.model(), table))
          .value();

  const model::v1::Lineage& lineage = response.lineage();
  EXPECT_EQ(lineage.model_version(), trained.run.model_version());
  EXPECT_EQ(lineage.run(), trained.run.name());
  EXPECT_EQ(lineage.weights_sha256(), trained.run.weights_sha256());
  EXPECT_EQ(lineage.dataset_version(), trained.version.name());
  EXPECT_EQ(lineage.dataset_sha256(), trained.version.sha256());
  ASSERT_EQ(lineage.sources_size(), 1);
  EXPECT_EQ(lineage.sources(0).name(), GetParam().file_name);
  EXPECT_EQ(lineage.sources(0).sha256(), storage::ToHex(storage::Sha256Of(file)));
  EXPECT_EQ(lineage.sources(0).size_bytes(), static_cast<std::int64_t>(file.size()));
  EXPECT_THAT(lineage.build(), Not(IsEmpty()));
  EXPECT_THAT(lineage.kernel_level(), Not(IsEmpty()));
}

TEST_P(WayTest, APublishedModelAnswersForRawRows) {
  auto pipeline = ReadExample(GetParam().example).value();
  const RawTable table = ParseTable(FileOf(pipeline));
  pipeline.set_model(fmt::format("raw_rows_{}", pipeline.model()));
  const Trained trained = Apply(clients(), pipeline).value();

  const auto response =
      Call(clients().serving(), &ServingStub::Predict, RequestOf(trained.run.model(), table))
          .value();

  EXPECT_EQ(response.classes(0), GetParam().first_class);
  ASSERT_EQ(response.predictions_size(), static_cast<int>(table.rows.size()));
  EXPECT_EQ(response.predictions(0).label(), GetParam().raw_answer);
  const std::size_t label = table.IndexOf(pipeline.dataset().options().label());
  int right = 0;
  for (int row = 0; row < response.predictions_size(); ++row) {
    const serving::v1::Prediction& prediction = response.predictions(row);
    float sum = 0;
    for (const float probability : prediction.probabilities()) {
      sum += probability;
    }
    EXPECT_NEAR(sum, 1, 1e-6);
    right += prediction.label() == table.rows[static_cast<std::size_t>(row)][label] ? 1 : 0;
  }
  EXPECT_GT(right, response.predictions_size() * 9 / 10);
}

TEST_P(WayTest, ALateWatcherSeesTheHistoryFirst) {
  auto pipeline = ReadExample(GetParam().example).value();
  pipeline.set_model(fmt::format("watched_{}", pipeline.model()));
  pipeline.mutable_training()->set_epochs(7);
  pipeline.mutable_training()->clear_early_stopping();
  const Trained trained = Apply(clients(), pipeline).value();

  const auto events = Watch(clients().training(), trained.run.name()).value();

  std::vector<std::int64_t> counted(events.size());
  std::vector<std::int32_t> epochs;
  for (std::size_t i = 0; i < events.size(); ++i) {
    counted[i] = static_cast<std::int64_t>(i) + 1;
    if (events[i].has_epoch()) {
      epochs.push_back(events[i].epoch().epoch());
    }
  }
  EXPECT_EQ(Sequences(events), counted);
  EXPECT_THAT(epochs, testing::ElementsAre(1, 2, 3, 4, 5, 6, 7));
  EXPECT_EQ(events.front().run().state(), training::v1::Run::STATE_QUEUED);
  EXPECT_EQ(BytesOf(events.back().run()), BytesOf(trained.run));
  // Who comes back with what was seen last gets the rest.
  const auto rest = Watch(clients().training(), trained.run.name(), 4).value();
  EXPECT_EQ(Bytes(rest), Bytes({events.begin() + 4, events.end()}));
}

TEST_P(WayTest, ARunSaysWhatItReadAndWhatItPublished) {
  auto pipeline = ReadExample(GetParam().example).value();
  pipeline.set_model(fmt::format("described_{}", pipeline.model()));
  const Trained trained = Apply(clients(), pipeline).value();
  const training::v1::Run& run = trained.run;
  EXPECT_EQ(run.state(), training::v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(run.dataset_version(), trained.version.name());
  EXPECT_EQ(run.model_version(), fmt::format("{}/versions/1", run.model()));
  EXPECT_EQ(EvaluationOf(run, schema::v1::SPLIT_TEST).example_count(),
            trained.version.test_count());
  EXPECT_EQ(EvaluationOf(run, schema::v1::SPLIT_VALIDATION).example_count(),
            trained.version.validation_count());

  serving::v1::GetModelRequest request;
  request.set_name(run.model());
  const auto version = Call(clients().serving(), &ServingStub::GetModel, request).value();
  EXPECT_EQ(version.name(), run.model_version());
  EXPECT_EQ(version.traffic_percent(), 100);
  EXPECT_EQ(version.manifest().evaluations_size(), run.evaluations_size());
  EXPECT_EQ(BytesOf(version.manifest().schema()), BytesOf(trained.version.schema()));
  EXPECT_EQ(BytesOf(version.manifest().transforms()), BytesOf(trained.version.transforms()));
}

INSTANTIATE_TEST_SUITE_P(Examples,
                         WayTest,
                         testing::Values(Way{.name = "BreastCancer",
                                             .example = "breast_cancer.yaml",
                                             .file_name = "breast_cancer.csv",
                                             .first_class = "benign",
                                             .raw_answer = "malignant"},
                                         Way{.name = "Iris",
                                             .example = "iris.yaml",
                                             .file_name = "iris.csv",
                                             .first_class = "setosa",
                                             .raw_answer = "setosa"}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace millrace::integration
