// DistinctTexts: how many different texts the columns have, exactly, in bounded memory.

#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>

#include "common/features/row_hash.h"
#include "common/features/texts.h"
#include "common/storage/record_sorter.h"
#include "common/storage/scratch.h"

namespace millrace::data {

/// Keeps two words a text (features::SayText), so that two different ones count as one with a
/// chance of 2^-128 a pair: few of a column in memory, many in a file that is sorted.
class DistinctTexts {
 public:
  DistinctTexts(std::size_t columns, const storage::Scratch& scratch);

  /// Texts of a column; the same again changes nothing. Thread-safe.
  absl::Status Add(std::size_t column, const features::Texts& texts);

  /// How many there are in each column. Call once, when all were added.
  absl::StatusOr<std::vector<std::int64_t>> Count();

 private:
  struct Record {
    std::uint64_t column = 0;
    features::Said text;

    friend auto operator<=>(const Record&, const Record&) = default;
  };

  struct Column {
    absl::flat_hash_set<std::pair<std::uint64_t, std::uint64_t>> few;
    bool many = false;  // they are in the sorter
  };

  const std::size_t few_max_;  // a column
  std::mutex mutex_;
  std::vector<Column> columns_;  // guarded by mutex_
  storage::RecordSorter<Record> sorter_;
};

}  // namespace millrace::data
