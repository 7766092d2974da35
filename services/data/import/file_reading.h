// FileReading: every block of a file, on several threads, into temporary files.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "common/storage/scratch.h"
#include "services/data/import/block_reader.h"
#include "services/data/import/block_source.h"
#include "services/data/import/distinct_texts.h"
#include "services/data/import/spill.h"
#include "services/data/import/spilled_rows.h"

namespace millrace::data {

/// Reads a file once. What comes out does not depend on blocks or threads, but for the groups. Of
/// several errors the one that stands first in the file is returned.
class FileReading {
 public:
  /// Owns nothing. Texts are counted in `texts` under their columns' places in the file.
  FileReading(const BlockReader& reader, DistinctTexts& texts) : reader_(reader), texts_(texts) {}

  /// Reads what `source` gives into `spill` and closes it.
  absl::Status ReadAll(BlockSource& source, Spill& spill, int threads);

  /// Reads the blocks of `groups` into `spill`, closes it, and says in each group where.
  absl::Status ReadAgain(const BlockSource& source,
                         std::vector<SpilledGroup>& groups,
                         Spill& spill,
                         int threads);

  /// One for each block that has rows, in the order of the file.
  std::vector<SpilledGroup> TakeGroups();

  /// One for each wanted column.
  [[nodiscard]] std::vector<ColumnFacts>& facts() { return facts_; }

 private:
  absl::Status Keep(const Block& block,
                    Spill& spill,
                    std::vector<ColumnFacts>& facts,
                    SpilledGroup& group);
  void Merge(std::size_t index, std::vector<ColumnFacts> facts);
  void Fail(std::size_t index, const absl::Status& status);
  bool HasFailedBefore(std::size_t index);
  void ReadBlocks(BlockSource& source, Spill& spill);

  const BlockReader& reader_;
  DistinctTexts& texts_;
  std::mutex mutex_;
  std::map<std::size_t, SpilledGroup> groups_;                // all guarded by mutex_; by block
  std::map<std::size_t, std::vector<ColumnFacts>> unmerged_;  // by block
  std::size_t merged_ = 0;                                    // blocks whose facts are merged
  std::vector<ColumnFacts> facts_;
  std::size_t failed_ = ~std::size_t{0};  // the first block that could not be read
  absl::Status error_;
};

}  // namespace millrace::data
