#include "common/network/flush_denormals.h"

#include <array>
#include <limits>
#include <vector>

#include <gtest/gtest.h>
#include <immintrin.h>

#include "common/network/inference_plan.h"
#include "common/network/training_plan.h"
#include "tests/unit/common/network/reference_network.h"

namespace millrace::network {
namespace {

constexpr unsigned kFlags = 0x8040;

unsigned Flags() {
  return _mm_getcsr() & kFlags;
}

TEST(FlushDenormalsTest, HoldsWhileItLivesAndLeavesWhatWasThere) {
  const unsigned before = _mm_getcsr();
  ASSERT_EQ(Flags(), 0U);
  {
    const FlushDenormals outer;
    EXPECT_EQ(Flags(), kFlags);
    {
      const FlushDenormals inner;
      EXPECT_EQ(Flags(), kFlags);
    }
    EXPECT_EQ(Flags(), kFlags);
    EXPECT_EQ(_mm_getcsr() & ~kFlags & 0xFFC0U, before & 0xFFC0U);  // rounding and masks
  }
  EXPECT_EQ(Flags(), 0U);
}

// A network whose every output is 2^-130 * 2^127 = 1/8 where denormals count, else 0; large enough
// for two threads to share a step.
constexpr std::int64_t kInputs = 64;
constexpr std::int64_t kOutputs = 512;
constexpr std::int64_t kRows = 64;
constexpr float kDenormal = 0x1p-130F;

Network OneLayer() {
  return MakeNetwork({"dense 512 leaky_relu", "dense 1"}, kInputs);
}

void FillWithPowers(const Network& network, std::span<float> parameters) {
  const LayerPlan& first = network.layers().front();
  std::fill(parameters.begin(), parameters.end(), 0.0F);
  for (std::int64_t i = 0; i < kOutputs; ++i) {
    parameters[static_cast<std::size_t>(first.kernel_offset + i)] = 0x1p127F;
    parameters[static_cast<std::size_t>(first.kernel_offset + kInputs * kOutputs + kOutputs + i)] =
        1.0F;
  }
}

TEST(FlushDenormalsTest, IsSetInsideAStepOnEveryThreadAndGoneAfterIt) {
  ASSERT_EQ(kDenormal * 0x1p127F, 0.125F);
  for (const int threads : {1, 2}) {
    const Network network = OneLayer();
    const auto loss =
        Loss::Create(model::v1::LOSS_MEAN_SQUARED_ERROR, network, schema::v1::TASK_REGRESSION, 0);
    ASSERT_TRUE(loss.ok()) << loss.status();
    const auto plan = TrainingPlan::Create(network, *loss, {.batch_rows_max = kRows, .seed = 1});
    ASSERT_TRUE(plan.ok()) << plan.status();
    FillWithPowers(network, (*plan)->parameters());
    const std::vector<float> x(static_cast<std::size_t>(kRows * kInputs), kDenormal);
    const std::vector<float> labels(static_cast<std::size_t>(kRows));
    std::array<unsigned, 2> after{kFlags, kFlags};
    ThreadTeam team(threads);
    team.Run([&](ThreadTeam::Member& member) {
      (*plan)->Step(member, 0, kRows, x.data(), labels.data());
      after.at(static_cast<std::size_t>(member.index())) = Flags();
    });
    for (const float y : (*plan)->outputs()) {
      ASSERT_EQ(y, 0.0F) << threads;
    }
    EXPECT_EQ((*plan)->LossSum(), 0.0);
    EXPECT_EQ(after[0], 0U);
    EXPECT_EQ(after[1], threads == 2 ? 0U : kFlags);
  }
}

TEST(FlushDenormalsTest, IsSetInsideAnAnswerAndGoneAfterIt) {
  const Network network = OneLayer();
  std::vector<float> parameters(static_cast<std::size_t>(network.parameter_count()));
  FillWithPowers(network, parameters);
  const InferencePlan plan = InferencePlan::Create(network, parameters).value();
  const std::vector<float> x(kInputs, kDenormal);
  std::vector<float> y(1, 1.0F);
  InferenceScratch scratch;

  plan.Run(1, x, y, scratch);

  EXPECT_EQ(y[0], 0.0F);
  EXPECT_EQ(Flags(), 0U);
}

}  // namespace
}  // namespace millrace::network
