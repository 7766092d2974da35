#include "services/serving/load/loaded_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/services/serving/small_bundle.h"

namespace millrace::serving {
namespace {

using testing::HasSubstr;

void ExpectError(const model::Bundle& bundle, absl::StatusCode code, const std::string& phrase) {
  const auto bytes = model::WriteBundle(bundle);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto loaded = LoadModel(*bytes);
  EXPECT_EQ(loaded.status().code(), code) << loaded.status();
  EXPECT_THAT(std::string(Message(loaded.status())), HasSubstr(phrase));
}

TEST(LoadModelTest, MakesABundleReadyToAnswer) {
  for (const auto task :
       {schema::v1::TASK_BINARY, schema::v1::TASK_MULTICLASS, schema::v1::TASK_REGRESSION}) {
    const auto loaded = LoadModel(SmallBytes(1, task));

    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->transformer.input_count(), 4);
    EXPECT_EQ(loaded->plan.network().inputs(), 4);
    EXPECT_EQ(loaded->manifest.lineage().run(), "runs/r-1");
  }
}

TEST(LoadModelTest, RefusesDamagedBytes) {
  const std::string bytes = SmallBytes();

  EXPECT_EQ(LoadModel(std::string_view(bytes).substr(0, bytes.size() - 1)).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(LoadModel("something else").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(LoadModelTest, RefusesABundleWithoutALabel) {
  model::Bundle bundle = SmallBundle();
  bundle.manifest.mutable_transforms()->clear_label();
  ExpectError(bundle, absl::StatusCode::kInvalidArgument, "no label to predict");
}

TEST(LoadModelTest, RefusesTransformsThatContradictThemselves) {
  model::Bundle bundle = SmallBundle();
  bundle.manifest.mutable_transforms()->mutable_features(1)->mutable_linear();
  ExpectError(bundle, absl::StatusCode::kInvalidArgument, "colour");
}

TEST(LoadModelTest, RefusesClassesThatDoNotFitTheOutputs) {
  model::Bundle bundle = SmallBundle(1, schema::v1::TASK_MULTICLASS);
  bundle.manifest.mutable_transforms()->mutable_label()->add_classes("none");
  ExpectError(bundle, absl::StatusCode::kInvalidArgument, "4");
}

}  // namespace
}  // namespace millrace::serving
