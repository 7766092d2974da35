// FrequentTexts: which texts stand most often in a column and in each part of it, in bounded
// memory.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <absl/container/flat_hash_map.h>

namespace millrace::statistics {

/// How often something stands in rows of each mark (features/row_groups.h).
using PartCounts = std::array<std::int64_t, 4>;

/// Looks at the texts of a column up to three times: Add() all, then, where NeedsCount(), Count()
/// all, then Name() all. Texts are known by their hash (DistinctCounter::HashOf) until they are
/// named.
///
/// Exact while there are at most kExactMax different texts. Above, texts are kept that may stand in
/// more than 1 / kShare of the rows (Misra and Gries, "Finding repeated elements", 1982, in its
/// form that drops many at a time), then counted, and only those that do are frequent: the counts
/// are exact then too. Takes at most about 2 MiB. Not thread-safe.
class FrequentTexts {
 public:
  static constexpr std::size_t kExactMax = 16'384;
  static constexpr std::int64_t kShare = 1'024;
  static constexpr std::size_t kTopMax = 10;

  struct Frequent {
    std::string text;
    std::int64_t count = 0;
  };

  void Add(std::uint64_t hash, const PartCounts& counts);

  /// Whether texts were dropped and one of those that are left may be frequent. Call once.
  bool NeedsCount();

  void Count(std::uint64_t hash, const PartCounts& counts);

  void Name(std::uint64_t hash, std::string_view text);

  /// Whether no text is left that can be frequent.
  [[nodiscard]] bool empty() const { return entries_.empty(); }

  /// The most frequent first, of equally frequent ones the first in byte order; at most kTopMax.
  [[nodiscard]] const std::vector<Frequent>& OfPart(std::size_t mark) const { return top_[mark]; }

  /// The same of all rows.
  [[nodiscard]] const std::vector<Frequent>& OfAll() const { return top_.back(); }

 private:
  struct Entry {
    std::int64_t total = 0;  // less what was taken off when others were dropped
    PartCounts parts{};
    bool named = false;
  };

  void Drop();
  static void Insert(std::string_view text, std::int64_t count, std::vector<Frequent>& top);

  absl::flat_hash_map<std::uint64_t, Entry> entries_;
  std::int64_t rows_ = 0;
  std::int64_t taken_off_ = 0;  // at most so much is missing from a total
  std::array<std::vector<Frequent>, std::tuple_size_v<PartCounts> + 1> top_;
};

}  // namespace millrace::statistics
