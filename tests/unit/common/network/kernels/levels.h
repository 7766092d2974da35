// Levels: floats, and how a test runs at every kernel level of the machine.

#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/network/kernels/kernels.h"

namespace millrace::network::kernels {

using Floats = std::vector<float>;

/// Numbers in [-limit, limit), the same for a seed everywhere.
inline Floats Random(std::int64_t count, std::uint32_t seed, float limit = 1.0F) {
  std::mt19937 random(seed);
  Floats floats(static_cast<std::size_t>(count));
  for (float& value : floats) {
    value = (static_cast<float>(random() >> 8U) / 8388608.0F - 1.0F) * limit;
  }
  return floats;
}

inline bool SameBits(const Floats& a, const Floats& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Runs a body at each level and leaves the best one behind.
template <class Body>
void AtEachLevel(Body body) {
  for (const std::int64_t level : AvailableLevels()) {
    ForceLevel(level);
    SCOPED_TRACE(std::string(LevelName()));
    body();
  }
  ForceLevel(0);
}

/// What the machine lets a test compare: "compared AVX2 with AVX3", or that there is one level
/// only.
inline std::string ComparedLevels() {
  std::string names;
  AtEachLevel([&names] { names += (names.empty() ? "" : " with ") + std::string(LevelName()); });
  return AvailableLevels().size() > 1 ? "compared " + names
                                      : "one level only: " + names + "; nothing compared";
}

/// Calls `compute` at each level and expects the same bits of all.
template <class Compute>
void ExpectSameAtEachLevel(Compute compute) {
  Floats first;
  AtEachLevel([&] {
    const Floats now = compute();
    if (first.empty()) {
      first = now;
    }
    EXPECT_TRUE(SameBits(first, now));
  });
}

}  // namespace millrace::network::kernels
