#include "common/clock/random.h"

#include <cstddef>
#include <numeric>
#include <utility>

#include <unistd.h>

#include "common/status/check.h"

namespace millrace {

namespace {

constexpr int kRounds = 10;
constexpr std::uint64_t kMultiplier0 = 0xD2511F53U;
constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57U;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9U;  // golden ratio
constexpr std::uint32_t kWeyl1 = 0xBB67AE85U;  // sqrt(3) - 1

constexpr std::uint32_t Low(std::uint64_t x) {
  return static_cast<std::uint32_t>(x & 0xFFFFFFFFU);
}

constexpr std::uint32_t High(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32U);
}

}  // namespace

std::array<std::uint32_t, 4> Philox(std::array<std::uint32_t, 2> key,
                                    std::array<std::uint32_t, 4> counter) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0];
    const std::uint64_t product1 = kMultiplier1 * counter[2];
    counter = {High(product1) ^ counter[1] ^ key[0],
               Low(product1),
               High(product0) ^ counter[3] ^ key[1],
               Low(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

Random::Random(std::int64_t seed, std::uint64_t stream)
    : key_{Low(static_cast<std::uint64_t>(seed)), High(static_cast<std::uint64_t>(seed))},
      counter_{0, 0, Low(stream), High(stream)} {}

std::uint32_t Random::Next() {
  if (used_ == 4) {
    block_ = Philox(key_, counter_);
    if (++counter_[0] == 0) {
      ++counter_[1];
    }
    used_ = 0;
  }
  return block_[static_cast<std::size_t>(used_++)];
}

std::uint64_t Random::Below(std::uint64_t bound) {
  CHECK(bound > 0);
  // The first 2^64 mod bound numbers are drawn again: what is left divides evenly.
  const std::uint64_t uneven = (0 - bound) % bound;
  while (true) {
    const std::uint64_t low = Next();
    const std::uint64_t number = (static_cast<std::uint64_t>(Next()) << 32U) | low;
    if (number >= uneven) {
      return number % bound;
    }
  }
}

std::vector<std::int64_t> Random::Permutation(std::int64_t count) {
  CHECK(count >= 0);
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[Below(left)]);
  }
  return order;
}

std::string RandomHex(int count) {
  constexpr std::size_t kBytesMax = 256;  // what getentropy gives in one call
  constexpr char kDigits[] = "0123456789abcdef";
  std::array<unsigned char, kBytesMax> bytes{};
  CHECK(count >= 0 && static_cast<std::size_t>(count) <= kBytesMax);
  CHECK(getentropy(bytes.data(), static_cast<std::size_t>(count)) == 0);
  std::string hex;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    hex.push_back(kDigits[bytes[i] >> 4U]);
    hex.push_back(kDigits[bytes[i] & 15U]);
  }
  return hex;
}

}  // namespace millrace
