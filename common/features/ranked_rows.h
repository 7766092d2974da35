// RankedRows: the rows of a table in an order that has nothing to do with their places.

#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <utility>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/features/row_groups.h"
#include "common/features/row_hash.h"
#include "common/storage/record_sorter.h"
#include "common/storage/scratch.h"

namespace millrace::features {

/// What is known of a row without looking at its cells again.
struct RankedRow {
  Said said;
  std::uint64_t label = kMissingWord;  // the word of its label's cell (row_hash.h)
  std::int64_t row = 0;

  friend bool operator<(const RankedRow& left, const RankedRow& right) {
    return left.said.rank != right.said.rank ? left.said.rank < right.said.rank
                                             : left.row < right.row;
  }
};

/// What the ranking of rows is made with.
struct RankOptions {
  HashKey key = {};
  int label = -1;  // the label's column; -1: none, then no row has one
  int threads = 1;
  std::stop_token stop;
};

/// Rows in order of their rank, rows of one rank in the order of the table. Keeps 32 bytes a row on
/// disk, and at most 32 MiB in memory.
class RankedRows {
 public:
  /// Reads every cell once. CANCELLED when stopped.
  static absl::StatusOr<RankedRows> Rank(const RowGroups& rows,
                                         const RankOptions& options,
                                         const storage::Scratch& scratch);

  absl::Status ForEach(absl::FunctionRef<absl::Status(const RankedRow&)> sink) const {
    return sorter_->ForEach(sink);
  }

 private:
  using Sorter = storage::RecordSorter<RankedRow>;

  explicit RankedRows(std::unique_ptr<Sorter> sorter) : sorter_(std::move(sorter)) {}

  std::unique_ptr<Sorter> sorter_;
};

}  // namespace millrace::features
