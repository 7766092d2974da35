// DistinctCounter: how many different values there are, in bounded memory.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_set.h>

namespace millrace::statistics {

/// Exact up to kExactMax different values, then a HyperLogLog of 2^14 registers (Flajolet and
/// others, 2007) with Ertl's estimator ("New cardinality estimation algorithms for HyperLogLog
/// sketches", 2017): a standard error of 0.8 %. Takes at most 100 KiB. Not thread-safe.
class DistinctCounter {
 public:
  static constexpr std::size_t kExactMax = 4096;

  /// -0 counts as 0. Requires: not NaN.
  void AddNumbers(std::span<const double> numbers);

  void AddText(std::string_view text) { AddTextHash(HashOf(text)); }

  /// What a text is counted by, for those who add it to several counters.
  static std::uint64_t HashOf(std::string_view text);

  void AddTextHash(std::uint64_t hash) { AddHash(hash); }

  /// As if every value that `other` was given had been added here.
  void Merge(const DistinctCounter& other);

  [[nodiscard]] std::int64_t Count() const;

  /// Whether Count() is an estimate.
  [[nodiscard]] bool is_estimate() const { return !registers_.empty(); }

 private:
  void AddHash(std::uint64_t hash);
  void Register(std::uint64_t hash);

  absl::flat_hash_set<std::uint64_t> exact_;  // hashes, while there are few
  std::vector<std::uint8_t> registers_;       // afterwards
};

}  // namespace millrace::statistics
