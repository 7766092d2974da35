#include "common/network/inference_plan.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/network/kernels/kernels.h"
#include "tests/support/allocations.h"
#include "tests/unit/common/network/reference_network.h"

namespace millrace::network {
namespace {

const std::vector<std::string> kLayers = {"dense 70 relu",
                                          "dropout 0.5",
                                          "dense 33 gelu",
                                          "activation tanh",
                                          "dense 17 sigmoid",
                                          "dense 5 softmax"};
constexpr std::int64_t kInputs = 40;

struct Model {
  Network network;
  std::vector<float> parameters;
  InferencePlan plan;
};

Model MakeModel(const std::vector<std::string>& layers) {
  Network network = MakeNetwork(layers, kInputs);
  std::vector<float> parameters(static_cast<std::size_t>(network.parameter_count()));
  network.Initialize(2, parameters);
  InferencePlan plan = InferencePlan::Create(network, parameters).value();
  return {network, parameters, plan};
}

TEST(InferencePlanTest, RefusesAnotherNumberOfParameters) {
  const Network network = MakeNetwork({"dense 2"}, 3);
  const std::vector<float> parameters(9);

  const absl::StatusOr<InferencePlan> plan = InferencePlan::Create(network, parameters);

  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(plan.status().message()), testing::HasSubstr("8 parameters, found 9"));
}

TEST(InferencePlanTest, AnswersAsTheReferenceDoesWithoutDropout) {
  const Model model = MakeModel(kLayers);
  ReferenceNetwork reference(model.network, model::v1::LOSS_CATEGORICAL_CROSSENTROPY);
  reference.parameters = Widen(model.parameters);
  reference.masks.resize(kLayers.size());
  reference.masks[1].assign(std::size_t{70} * 9, 1.0);
  const std::vector<float> x = RandomFloats(9 * kInputs, 3);

  InferenceScratch scratch;
  std::vector<float> y(std::size_t{9} * 5);
  model.plan.Run(9, x, y, scratch);

  const std::vector<double> expected = reference.Forward(Widen(x), 9);
  for (std::size_t i = 0; i < y.size(); ++i) {
    EXPECT_NEAR(y[i], expected[i], 1e-6);
  }
}

TEST(InferencePlanTest, ARowIsTheSameAloneFirstLastAndAmongOthersOnEveryLevel) {
  const Model model = MakeModel(kLayers);
  const std::vector<float> row = RandomFloats(kInputs, 4);
  InferenceScratch scratch;
  std::vector<float> alone(5);
  model.plan.Run(1, row, alone, scratch);

  for (const std::int64_t level : kernels::AvailableLevels()) {
    kernels::ForceLevel(level);
    for (const std::int64_t rows : {1, 2, 3, 5, 12, 13, 64, 200, 256, 257, 600}) {
      for (const std::int64_t place : {std::int64_t{0}, rows / 2, rows - 1}) {
        std::vector<float> x = RandomFloats(static_cast<std::size_t>(rows * kInputs), 5);
        std::copy(row.begin(), row.end(), x.begin() + place * kInputs);
        std::vector<float> y(static_cast<std::size_t>(rows) * 5);
        model.plan.Run(rows, x, y, scratch);
        EXPECT_EQ(std::memcmp(alone.data(), y.data() + place * 5, 5 * sizeof(float)), 0)
            << place << " of " << rows;
      }
    }
    kernels::ForceLevel(0);
  }
}

TEST(InferencePlanTest, GivesWhatWentIntoTheLastActivation) {
  for (const char* last : {"dense 5 softmax", "dense 5 sigmoid", "dense 5"}) {
    const Model model = MakeModel({"dense 9 tanh", last});
    const Model apart = MakeModel({"dense 9 tanh", "dense 5"});
    const std::vector<float> x = RandomFloats(300 * kInputs, 6);
    InferenceScratch scratch;
    std::vector<float> y(std::size_t{300} * 5);
    std::vector<float> again(y.size());
    std::vector<float> logits(y.size());
    std::vector<float> expected(y.size());

    model.plan.Run(300, x, y, scratch, logits);
    model.plan.Run(300, x, again, scratch);
    apart.plan.Run(300, x, expected, scratch);

    EXPECT_EQ(logits, expected) << last;
    EXPECT_EQ(y, again) << last;
  }
}

TEST(InferencePlanTest, RunsANetworkWithoutDenseLayers) {
  const Model model = MakeModel({"activation relu", "activation tanh"});
  const std::vector<float> x(kInputs, -1.0F);
  std::vector<float> y(kInputs, 5.0F);
  InferenceScratch scratch;

  model.plan.Run(1, x, y, scratch);

  EXPECT_THAT(y, testing::Each(0.0F));
}

TEST(InferencePlanTest, EstimatesGrowWithRowsAndWidth) {
  const Model small = MakeModel({"dense 10 relu", "dense 1"});
  const Model large = MakeModel({"dense 1000 relu", "dense 1"});

  EXPECT_GT(small.plan.EstimateMicroseconds(1), 0);
  EXPECT_LT(small.plan.EstimateMicroseconds(1), 5);
  EXPECT_GT(small.plan.EstimateMicroseconds(100), small.plan.EstimateMicroseconds(1));
  EXPECT_GT(large.plan.EstimateMicroseconds(1), small.plan.EstimateMicroseconds(1));
}

TEST(InferencePlanTest, ARepeatedInferenceAllocatesNothing) {
  const Network network = MakeNetwork({"dense 20 gelu", "dense 10 softmax"}, 64);
  std::vector<float> parameters(static_cast<std::size_t>(network.parameter_count()));
  network.Initialize(1, parameters);
  const InferencePlan plan = InferencePlan::Create(network, parameters).value();
  const std::vector<float> x = RandomFloats(std::size_t{300} * 64, 1);
  std::vector<float> y(300 * 10);
  InferenceScratch scratch;
  plan.Run(300, x, y, scratch);

  const int before = AllocationCount();
  plan.Run(300, x, y, scratch);
  plan.Run(1, x, y, scratch);

  EXPECT_EQ(AllocationCount(), before);
}

}  // namespace
}  // namespace millrace::network
