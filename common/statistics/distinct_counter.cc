#include "common/statistics/distinct_counter.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include "common/features/row_hash.h"

namespace millrace::statistics {

namespace {

constexpr int kIndexBits = 14;
constexpr int kRankBits = 64 - kIndexBits;
constexpr std::size_t kRegisters = std::size_t{1} << kIndexBits;

// Any fixed key: what counts is that it never changes.
constexpr features::HashKey kKey = {0x6d696c6c72616365U, 0x64697374696e6374U};

// The finisher of MurmurHash3 (Appleby): every bit of the input changes half of the output's.
std::uint64_t Mix(std::uint64_t word) {
  word ^= word >> 33U;
  word *= 0xff51afd7ed558ccdU;
  word ^= word >> 33U;
  word *= 0xc4ceb9fe1a85ec53U;
  word ^= word >> 33U;
  return word;
}

std::uint64_t HashOfNumber(double number) {
  return Mix(std::bit_cast<std::uint64_t>(number + 0.0));  // -0 becomes 0
}

// Ertl's sigma and tau: the shares of registers that are still 0, and that are full.
double Sigma(double x) {
  if (x == 1) {
    return std::numeric_limits<double>::infinity();
  }
  double y = 1;
  double z = x;
  double before = 0;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (z != before);
  return z;
}

double Tau(double x) {
  if (x == 0 || x == 1) {
    return 0;
  }
  double y = 1;
  double z = 1 - x;
  double before = 0;
  do {
    x = std::sqrt(x);
    before = z;
    y /= 2;
    z -= (1 - x) * (1 - x) * y;
  } while (z != before);
  return z / 3;
}

double Estimate(const std::vector<std::uint8_t>& registers) {
  std::array<double, kRankBits + 2> counts{};  // registers of each rank
  for (const std::uint8_t rank : registers) {
    ++counts.at(rank);
  }
  const auto m = static_cast<double>(kRegisters);
  double z = m * Tau(1 - counts.back() / m);
  for (std::size_t rank = kRankBits; rank >= 1; --rank) {
    z = (z + counts.at(rank)) / 2;
  }
  z += m * Sigma(counts.front() / m);
  return m * m / (2 * std::numbers::ln2 * z);
}

}  // namespace

void DistinctCounter::AddNumbers(std::span<const double> numbers) {
  while (!numbers.empty() && !is_estimate()) {
    AddHash(HashOfNumber(numbers.front()));
    numbers = numbers.subspan(1);
  }
  for (const double number : numbers) {
    Register(HashOfNumber(number));
  }
}

std::uint64_t DistinctCounter::HashOf(std::string_view text) {
  return features::SipHash(kKey, text);
}

void DistinctCounter::AddHash(std::uint64_t hash) {
  if (is_estimate()) {
    Register(hash);
    return;
  }
  exact_.insert(hash);
  if (exact_.size() > kExactMax) {
    registers_.resize(kRegisters);
    for (const std::uint64_t seen : exact_) {
      Register(seen);
    }
    exact_.clear();
  }
}

void DistinctCounter::Register(std::uint64_t hash) {
  const std::size_t index = hash >> kRankBits;
  // The place of the first bit that is set among the lower ones, counted from 1.
  const int rank = std::min(std::countl_zero(hash << kIndexBits), kRankBits) + 1;
  registers_[index] = std::max(registers_[index], static_cast<std::uint8_t>(rank));
}

void DistinctCounter::Merge(const DistinctCounter& other) {
  for (const std::uint64_t hash : other.exact_) {
    AddHash(hash);
  }
  if (!other.is_estimate()) {
    return;
  }
  if (!is_estimate()) {
    registers_.resize(kRegisters);
    for (const std::uint64_t hash : exact_) {
      Register(hash);
    }
    exact_.clear();
  }
  for (std::size_t i = 0; i < kRegisters; ++i) {
    registers_[i] = std::max(registers_[i], other.registers_[i]);
  }
}

std::int64_t DistinctCounter::Count() const {
  return is_estimate() ? std::llround(Estimate(registers_))
                       : static_cast<std::int64_t>(exact_.size());
}

}  // namespace millrace::statistics
