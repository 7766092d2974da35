#include "common/network/network.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reference_network.h"

namespace millrace::network {
namespace {

std::string Refusal(const model::v1::NetworkSpec& spec, std::int64_t inputs = 3) {
  const absl::StatusOr<Network> network = Network::Create(spec, inputs);
  EXPECT_EQ(network.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(network.status().message());
}

TEST(NetworkTest, RefusesWhatIsOutOfRangeAndNamesTheField) {
  using testing::HasSubstr;
  EXPECT_THAT(Refusal({}), HasSubstr("network.layers"));
  EXPECT_THAT(Refusal(MakeSpec(std::vector<std::string>(257, "dense 1"))), HasSubstr("256"));
  EXPECT_THAT(Refusal(MakeSpec({"dense 4", "dense 4", "dense 0"})),
              HasSubstr("network.layers[2].dense.units"));
  EXPECT_THAT(Refusal(MakeSpec({"dense 65537"})), HasSubstr("found 65537"));
  EXPECT_THAT(Refusal(MakeSpec({"dense 4 softmax", "dense 4"})),
              HasSubstr("network.layers[0].dense.activation"));
  EXPECT_THAT(Refusal(MakeSpec({"activation softmax", "dense 4"})),
              HasSubstr("network.layers[0].activation"));
  EXPECT_THAT(Refusal(MakeSpec({"dropout 1", "dense 4"})),
              HasSubstr("network.layers[0].dropout.rate"));
  EXPECT_THAT(Refusal(MakeSpec({"dropout -0.1", "dense 4"})), HasSubstr("dropout.rate"));
  EXPECT_THAT(Refusal(MakeSpec({"dense 4", "dropout 0.5"})),
              HasSubstr("network.layers[1].dropout"));
  EXPECT_THAT(Refusal(MakeSpec({"dense 65536", "dense 65536"})), HasSubstr("network.layers[1]"));
  EXPECT_THAT(Refusal(MakeSpec({"dense 4"}), 0), HasSubstr("inputs"));
}

TEST(NetworkTest, RefusesValuesOfLaterVersionsAndNoKind) {
  model::v1::NetworkSpec spec = MakeSpec({"dense 4"});
  spec.mutable_layers(0)->mutable_dense()->set_activation(static_cast<model::v1::Activation>(77));
  EXPECT_THAT(Refusal(spec), testing::HasSubstr("found 77"));
  spec = MakeSpec({"dense 4"});
  spec.mutable_layers(0)->mutable_dense()->set_initializer(static_cast<model::v1::Initializer>(78));
  EXPECT_THAT(Refusal(spec), testing::HasSubstr("network.layers[0].dense.initializer"));
  spec = MakeSpec({"dense 4"});
  spec.add_layers();
  EXPECT_THAT(Refusal(spec), testing::HasSubstr("network.layers[1]"));
}

TEST(NetworkTest, AcceptsTheEndsOfEachRange) {
  EXPECT_TRUE(Network::Create(MakeSpec({"dense 65536"}), 1).ok());
  EXPECT_TRUE(Network::Create(MakeSpec({"dropout 0", "dense 1"}), 1).ok());
  EXPECT_TRUE(Network::Create(MakeSpec(std::vector<std::string>(256, "dense 1")), 1).ok());
  // 32766 x 65536 weights and 65536 biases are 2^31 - 65536, the most that fits this width.
  EXPECT_TRUE(Network::Create(MakeSpec({"dense 65536"}), 32766).ok());
  EXPECT_FALSE(Network::Create(MakeSpec({"dense 65536"}), 32767).ok());
}

TEST(NetworkTest, LaysParametersOutLayerByLayer) {
  const Network network = MakeNetwork({"dense 4 relu", "dropout 0.5", "dense 2 softmax"}, 3);

  EXPECT_EQ(network.inputs(), 3);
  EXPECT_EQ(network.outputs(), 2);
  EXPECT_EQ(network.parameter_count(), 3 * 4 + 4 + 4 * 2 + 2);
  EXPECT_EQ(network.multiply_add_count(), 3 * 4 + 4 * 2);
  EXPECT_EQ(network.layers()[2].kernel_offset, 16);
  EXPECT_EQ(network.layers()[2].bias_offset, 24);
  const std::vector<model::v1::Tensor> tensors = network.Tensors();
  ASSERT_EQ(tensors.size(), 4U);
  EXPECT_EQ(tensors[0].name(), "layers/0/kernel");
  EXPECT_THAT(tensors[0].shape(), testing::ElementsAre(3, 4));
  EXPECT_EQ(tensors[3].name(), "layers/2/bias");
  EXPECT_THAT(tensors[3].shape(), testing::ElementsAre(2));
}

std::vector<float> Initial(model::v1::Initializer initializer, std::int64_t seed) {
  model::v1::NetworkSpec spec = MakeSpec({"dense 300"});
  spec.mutable_layers(0)->mutable_dense()->set_initializer(initializer);
  const Network network = Network::Create(spec, 200).value();
  std::vector<float> parameters(static_cast<std::size_t>(network.parameter_count()), 9.0F);
  network.Initialize(seed, parameters);
  return parameters;
}

TEST(NetworkTest, InitializersHaveTheirRangeMeanAndVariance) {
  struct Expected {
    model::v1::Initializer initializer;
    double fan;
    bool normal;
  };

  for (const Expected& e : {Expected{model::v1::INITIALIZER_UNSPECIFIED, 500, false},
                            Expected{model::v1::INITIALIZER_GLOROT_UNIFORM, 500, false},
                            Expected{model::v1::INITIALIZER_GLOROT_NORMAL, 500, true},
                            Expected{model::v1::INITIALIZER_HE_UNIFORM, 200, false},
                            Expected{model::v1::INITIALIZER_HE_NORMAL, 200, true}}) {
    const std::vector<float> parameters = Initial(e.initializer, 5);
    const double variance = 2 / e.fan;
    const double limit =
        e.normal ? 2 * std::sqrt(variance) / 0.87962566103423978 : std::sqrt(3 * variance);
    double sum = 0;
    double square = 0;
    double largest = 0;
    for (std::size_t i = 0; i < 60000; ++i) {
      const auto w = static_cast<double>(parameters[i]);
      sum += w;
      square += w * w;
      largest = std::max(largest, std::abs(w));
    }
    EXPECT_LE(largest, limit * 1.0000001);
    EXPECT_GT(largest, limit * 0.99);
    EXPECT_NEAR(sum / 60000, 0, 5 * std::sqrt(variance / 60000));
    EXPECT_NEAR(square / 60000, variance, 0.02 * variance);
    EXPECT_TRUE(std::all_of(
        parameters.begin() + 60000, parameters.end(), [](float bias) { return bias == 0.0F; }));
  }
}

TEST(NetworkTest, SameSeedSameWeightsAndOtherSeedOtherWeights) {
  for (const auto initializer :
       {model::v1::INITIALIZER_GLOROT_UNIFORM, model::v1::INITIALIZER_HE_NORMAL}) {
    EXPECT_EQ(Initial(initializer, 5), Initial(initializer, 5));
    EXPECT_NE(Initial(initializer, 5), Initial(initializer, 6));
    EXPECT_NE(Initial(initializer, 5), Initial(initializer, -5));
  }
}

TEST(NetworkTest, LayersOfTheSameShapeStartApart) {
  const Network network = MakeNetwork({"dense 8", "dense 8"}, 8);
  std::vector<float> parameters(static_cast<std::size_t>(network.parameter_count()));
  network.Initialize(1, parameters);

  EXPECT_FALSE(std::equal(parameters.begin(), parameters.begin() + 64, parameters.begin() + 72));
}

}  // namespace
}  // namespace millrace::network
