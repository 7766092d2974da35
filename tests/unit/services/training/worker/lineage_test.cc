#include "services/training/worker/lineage.h"

#include <vector>

#include <gtest/gtest.h>

namespace millrace::training {
namespace {

// SHA-256 of the bytes 00 00 80 3f 00 00 00 c0, by another program.
TEST(LineageTest, WeightsAreNamedByTheirLittleEndianBytes) {
  EXPECT_EQ(WeightsSha256(std::vector<float>{1, -2}),
            "ee4ac73c2bd27756ab82780f27c73a7bc4d3f0bb6acb37e008bc27eccd7e588b");
}

}  // namespace
}  // namespace millrace::training
