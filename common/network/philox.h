// Philox: random numbers that are a function of where they are needed, not of what was drawn
// before.

#pragma once

#include <array>
#include <cstdint>

namespace millrace::network {

/// Four random words for a key and a counter: Philox 4x32-10 of Salmon et al., "Parallel random
/// numbers: as easy as 1, 2, 3" (SC 2011), section 3.2. Any thread can compute any word, on any
/// machine with the same result.
constexpr std::array<std::uint32_t, 4> Philox(std::uint64_t key,
                                              std::array<std::uint32_t, 4> counter) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53U;
  constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57U;
  auto key0 = static_cast<std::uint32_t>(key);
  auto key1 = static_cast<std::uint32_t>(key >> 32U);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0];
    const std::uint64_t product1 = kMultiplier1 * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32U) ^ counter[1] ^ key0,
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32U) ^ counter[3] ^ key1,
               static_cast<std::uint32_t>(product0)};
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return counter;
}

/// What a stream of numbers is for; part of the counter, so that no two uses share numbers.
enum class PhiloxUse : std::uint32_t { kWeights = 0, kDropout = 1 };

/// Words 4 `block` to 4 `block` + 3 of the stream of one layer's `use` at one step.
constexpr std::array<std::uint32_t, 4> PhiloxBlock(std::int64_t seed,
                                                   PhiloxUse use,
                                                   std::int64_t layer,
                                                   std::int64_t step,
                                                   std::int64_t block) {
  // 2^32 blocks, 2^8 uses and 2^8 layers; the block's upper bits share a word with those.
  const auto place = static_cast<std::uint64_t>(block);
  const auto time = static_cast<std::uint64_t>(step);
  return Philox(static_cast<std::uint64_t>(seed),
                {static_cast<std::uint32_t>(place),
                 static_cast<std::uint32_t>(place >> 32U) << 16U |
                     static_cast<std::uint32_t>(use) << 8U | static_cast<std::uint32_t>(layer),
                 static_cast<std::uint32_t>(time),
                 static_cast<std::uint32_t>(time >> 32U)});
}

}  // namespace millrace::network
