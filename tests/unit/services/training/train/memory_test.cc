#include "services/training/train/memory.h"

#include <limits>
#include <string>

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "services/training/train/spec.h"

namespace millrace::training {
namespace {

// 10 inputs, 20 and 1 units: 241 weights, 31 units with the inputs.
std::int64_t BytesOf(const std::string& more, std::int64_t examples) {
  model::v1::TrainingSpec spec;
  const std::string text =
      "network { layers { dense { units: 20 } } layers { dense { units: 1 } } } batch_size: 8 " +
      more;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  FillDefaults(spec);
  return TrainingBytes(spec, network::Network::Create(spec.network(), 10).value(), examples);
}

TEST(MemoryTest, CountsWeightsAsOftenAsTheyAreKeptAndWhatABatchNeeds) {
  constexpr std::int64_t kBatch = std::int64_t{4} * 2 * 8 * 31;
  constexpr std::int64_t kWeights = std::int64_t{4} * 241;

  EXPECT_EQ(BytesOf("optimizer { sgd {} }", 0), 3 * kWeights + kBatch);
  EXPECT_EQ(BytesOf("optimizer { sgd { momentum: 0.9 } }", 0), 4 * kWeights + kBatch);
  EXPECT_EQ(BytesOf("optimizer { adam {} }", 0), 5 * kWeights + kBatch);
  EXPECT_EQ(BytesOf("optimizer { adam {} } early_stopping { patience: 1 }", 0),
            6 * kWeights + kBatch);
  EXPECT_EQ(BytesOf("optimizer { sgd {} }", 100), 3 * kWeights + kBatch + 100 * 11 * 4);
}

TEST(MemoryTest, WhatNoMachineHasDoesNotOverflow) {
  EXPECT_EQ(BytesOf("", std::numeric_limits<std::int64_t>::max()),
            std::numeric_limits<std::int64_t>::max());
}

}  // namespace
}  // namespace millrace::training
