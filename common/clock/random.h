// Random: numbers from a counter, the same on every machine.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace millrace {

/// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): a function
/// of a key and a counter, so that its state is two numbers and any position can be reached at
/// once.
std::array<std::uint32_t, 4> Philox(std::array<std::uint32_t, 2> key,
                                    std::array<std::uint32_t, 4> counter);

/// A stream of numbers drawn from Philox. Not thread-safe; cheap to make.
class Random {
 public:
  /// Different `stream`s of one `seed` are independent.
  explicit Random(std::int64_t seed, std::uint64_t stream = 0);

  /// Uniform over all 32-bit numbers.
  std::uint32_t Next();

  /// Uniform in [0, bound), without bias. Requires: bound > 0.
  std::uint64_t Below(std::uint64_t bound);

  /// A permutation of 0, 1, ..., count - 1 (Fisher and Yates, Durstenfeld's form).
  std::vector<std::int64_t> Permutation(std::int64_t count);

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

/// `count` random bytes of the operating system as lower-case hexadecimal: for names, never for
/// anything that must be repeated.
std::string RandomHex(int count);

}  // namespace millrace
