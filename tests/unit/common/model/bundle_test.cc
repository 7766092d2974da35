#include "common/model/bundle.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/network/network.h"
#include "common/status/status.h"

namespace millrace::model {
namespace {

using testing::HasSubstr;

// A network 2-3-1 with weights 0.25, 0.5, 0.75 and so on.
Bundle SmallBundle() {
  Bundle bundle;
  v1::BundleManifest& manifest = bundle.manifest;
  manifest.mutable_transforms()->set_input_count(2);
  manifest.mutable_lineage()->set_run("runs/r-1");
  v1::Dense& hidden =
      *manifest.mutable_training()->mutable_network()->add_layers()->mutable_dense();
  hidden.set_units(3);
  hidden.set_activation(v1::ACTIVATION_RELU);
  v1::Dense& last = *manifest.mutable_training()->mutable_network()->add_layers()->mutable_dense();
  last.set_units(1);
  last.set_activation(v1::ACTIVATION_SIGMOID);
  const auto network = network::Network::Create(manifest.training().network(), 2);
  for (const v1::Tensor& tensor : network->Tensors()) {
    *manifest.add_tensors() = tensor;
  }
  for (std::int64_t i = 0; i < network->parameter_count(); ++i) {
    bundle.weights.push_back(0.25F * static_cast<float>(i + 1));
  }
  return bundle;
}

std::string SmallBytes() {
  return *WriteBundle(SmallBundle());
}

void ExpectError(std::string_view bytes, absl::StatusCode code, const std::string& phrase) {
  const auto bundle = ReadBundle(bytes);
  EXPECT_EQ(bundle.status().code(), code) << bundle.status();
  EXPECT_THAT(std::string(Message(bundle.status())), HasSubstr(phrase));
}

// The bytes of a small bundle whose manifest and weights were changed after they were checked.
std::string Forge(const std::function<void(Bundle&)>& change) {
  Bundle bundle = SmallBundle();
  change(bundle);
  const std::string manifest = bundle.manifest.SerializeAsString();
  std::string bytes = SmallBytes().substr(0, 12);
  const auto length = static_cast<std::uint32_t>(manifest.size());
  bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
  bytes += manifest;
  bytes.resize((bytes.size() + 63) / 64 * 64);
  bytes.append(reinterpret_cast<const char*>(bundle.weights.data()),
               bundle.weights.size() * sizeof(float));
  return bytes;
}

TEST(BundleTest, ComesBackAsItWasWithTheDigestOfItsWeights) {
  const Bundle bundle = SmallBundle();

  const auto read = ReadBundle(SmallBytes());

  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->weights, bundle.weights);
  EXPECT_EQ(read->manifest.lineage().run(), "runs/r-1");
  EXPECT_EQ(read->manifest.lineage().weights_sha256().size(), 64U);
  EXPECT_EQ(read->manifest.tensors(0).name(), "layers/0/kernel");
}

TEST(BundleTest, MayHaveNoWeights) {
  Bundle bundle;
  bundle.manifest.mutable_transforms()->set_input_count(2);
  bundle.manifest.mutable_training()->mutable_network()->add_layers()->set_activation(
      v1::ACTIVATION_TANH);
  const auto read = ReadBundle(*WriteBundle(bundle));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->weights.empty());
}

TEST(BundleTest, TheSameBundleGivesTheSameBytesAndAlignsItsWeights) {
  const std::string bytes = SmallBytes();

  EXPECT_EQ(bytes, SmallBytes());
  EXPECT_EQ(bytes, *WriteBundle(*ReadBundle(bytes)));
  EXPECT_EQ(bytes.substr(0, 8), "MILLRACE");
  EXPECT_EQ((bytes.size() - SmallBundle().weights.size() * sizeof(float)) % 64, 0U);
}

TEST(BundleTest, WriteRefusesWeightsThatDoNotFitTheTensors) {
  Bundle bundle = SmallBundle();
  bundle.weights.pop_back();

  const auto bytes = WriteBundle(bundle);

  EXPECT_EQ(bytes.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(bytes.status()), "the tensors hold 13 floats, the weights 12");
}

TEST(BundleTest, WriteRefusesTheDigestOfOtherWeights) {
  Bundle bundle = SmallBundle();
  bundle.manifest.mutable_lineage()->set_weights_sha256(std::string(64, '0'));

  EXPECT_THAT(std::string(Message(WriteBundle(bundle).status())),
              HasSubstr("lineage.weights_sha256 must be"));
}

TEST(BundleTest, EveryTruncationIsDataLoss) {
  const std::string bytes = SmallBytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto bundle = ReadBundle(std::string_view(bytes).substr(0, size));
    ASSERT_EQ(bundle.status().code(), absl::StatusCode::kDataLoss) << size << bundle.status();
  }
}

TEST(BundleTest, EveryFlippedBitOfHeaderAndWeightsIsAnError) {
  const std::string bytes = SmallBytes();
  const std::size_t weights = bytes.size() - SmallBundle().weights.size() * sizeof(float);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto bundle = ReadBundle(damaged);
    if (bit / 8 < 16 || bit / 8 >= weights) {
      ASSERT_FALSE(bundle.ok()) << "bit " << bit;
    }  // a bit of the manifest may make another valid one; reading it must merely not crash
  }
}

TEST(BundleTest, RefusesOtherFiles) {
  ExpectError("PK\x03\x04 something else entirely",
              absl::StatusCode::kInvalidArgument,
              "it does not begin with 'MILLRACE'");
}

TEST(BundleTest, RefusesANewerFormatAndSaysWhatToDo) {
  std::string bytes = SmallBytes();
  bytes[8] = 2;
  ExpectError(bytes, absl::StatusCode::kFailedPrecondition, "format version 2");
  EXPECT_THAT(Fix(ReadBundle(bytes).status()), HasSubstr("at least as new"));
}

TEST(BundleTest, ReadsAnOlderContractOfNumbersAndSaysSo) {
  const auto bundle = ReadBundle(Forge([](Bundle& b) {
    b.manifest.mutable_lineage()->set_weights_sha256(
        ReadBundle(SmallBytes())->manifest.lineage().weights_sha256());
  }));
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  v1::Lineage lineage;

  TellNumerics(bundle->manifest, lineage);

  EXPECT_EQ(lineage.numerics(), 1);
  EXPECT_EQ(lineage.served_numerics(), 2);
}

TEST(BundleTest, RefusesANewerContractOfNumbersAndSaysWhatToDo) {
  const std::string bytes = Forge([](Bundle& b) { b.manifest.set_numerics(3); });
  ExpectError(bytes,
              absl::StatusCode::kFailedPrecondition,
              "the bundle has numerics 3, this build computes up to 2");
  EXPECT_THAT(Fix(ReadBundle(bytes).status()), HasSubstr("at least as new"));
  ExpectError(Forge([](Bundle& b) { b.manifest.set_numerics(-1); }),
              absl::StatusCode::kInvalidArgument,
              "numerics -1");
}

TEST(BundleTest, RefusesBytesAfterTheWeights) {
  ExpectError(SmallBytes() + "x", absl::StatusCode::kInvalidArgument, "1 bytes after its weights");
}

TEST(BundleTest, RefusesShapesWhoseProductOverflows) {
  const auto overflow = [](Bundle& bundle) {
    auto& shape = *bundle.manifest.mutable_tensors(0)->mutable_shape();
    shape.Set(0, std::int64_t{1} << 40);
    shape.Set(1, std::int64_t{1} << 40);
  };
  ExpectError(Forge(overflow), absl::StatusCode::kInvalidArgument, "no valid product");
  const auto negative = [](Bundle& bundle) {
    bundle.manifest.mutable_tensors(0)->mutable_shape()->Set(0, -2);
  };
  ExpectError(Forge(negative), absl::StatusCode::kInvalidArgument, "no valid product at size -2");
  const auto bytes_overflow = [](Bundle& bundle) {
    bundle.manifest.mutable_tensors(1)->mutable_shape()->Set(0, std::int64_t{1} << 62);
  };
  ExpectError(Forge(bytes_overflow), absl::StatusCode::kInvalidArgument, "too large");
}

TEST(BundleTest, RefusesAHugeShapeWithoutAllocatingIt) {
  const auto huge = [](Bundle& bundle) {
    bundle.manifest.mutable_tensors(1)->mutable_shape()->Set(0, std::int64_t{1} << 50);
  };
  ExpectError(Forge(huge), absl::StatusCode::kDataLoss, "ends in its weights");
}

TEST(BundleTest, RefusesTensorsOfAnotherNetwork) {
  const auto renamed = [](Bundle& bundle) {
    bundle.manifest.mutable_tensors(0)->set_name("layers/7/kernel");
  };
  ExpectError(Forge(renamed), absl::StatusCode::kInvalidArgument, "is not the network's");
  const auto transposed = [](Bundle& bundle) {
    bundle.manifest.mutable_tensors(0)->mutable_shape()->SwapElements(0, 1);
  };
  ExpectError(Forge(transposed), absl::StatusCode::kInvalidArgument, "'layers/0/kernel'");
  const auto inputs = [](Bundle& bundle) {
    bundle.manifest.mutable_transforms()->set_input_count(0);
  };
  ExpectError(Forge(inputs), absl::StatusCode::kInvalidArgument, "give 0 inputs");
  const auto no_layers = [](Bundle& bundle) {
    bundle.manifest.mutable_training()->mutable_network()->clear_layers();
  };
  ExpectError(Forge(no_layers), absl::StatusCode::kInvalidArgument, "the bundle's network");
}

TEST(BundleTest, RefusesWeightsThatAreNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const auto change = [bad](Bundle& bundle) { bundle.weights[5] = bad; };
    ExpectError(Forge(change), absl::StatusCode::kInvalidArgument, "weight 5 of the bundle");
  }
}

TEST(BundleTest, RefusesOtherWeightsThanTheLineageSays) {
  const auto other = [](Bundle& bundle) {
    bundle.manifest = ReadBundle(SmallBytes())->manifest;
    bundle.weights[0] = 7;
  };
  ExpectError(Forge(other), absl::StatusCode::kDataLoss, "the weights' digest is");
  ExpectError(Forge([](Bundle&) {}), absl::StatusCode::kDataLoss, "the lineage says ''");
}

}  // namespace
}  // namespace millrace::model
