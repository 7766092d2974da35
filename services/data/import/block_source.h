// BlockSource: a staged file in blocks of whole records, for several readers at once.

#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>

#include <absl/status/statusor.h>

#include "common/csv/tokenizer.h"
#include "services/data/import/staged_file.h"

namespace millrace::data {

/// Where a block stands in its file.
struct BlockPlace {
  std::size_t index = 0;
  std::int64_t offset = 0;
  std::int64_t size = 0;
  std::int64_t first_line = 1;

  /// False where no end of a record was found within what a row may have: then the tokenizer finds
  /// an error in it.
  bool ends_a_record = true;
};

struct Block {
  BlockPlace place;
  std::string bytes;
};

/// Sizes in bytes.
struct BlockSizes {
  static constexpr std::int64_t kBlockBytes = std::int64_t{4} << 20;

  std::int64_t block_bytes = kBlockBytes;
  std::int64_t row_bytes_max = csv::Limits().row_bytes_max;
};

/// Cuts a file where records end (csv/record_scan.h), in the order of the file. A block has about
/// `sizes.block_bytes`, more only where its last record is longer.
class BlockSource {
 public:
  BlockSource(const StagedFile& file, const std::stop_token& stop, const BlockSizes& sizes = {})
      : file_(file),
        stop_(stop),
        sizes_(sizes) {}

  /// Fills the next block; false after the last. CANCELLED when `stop` was asked for, looked at
  /// once a chunk of 1 MiB. Thread-safe.
  absl::StatusOr<bool> Next(Block& block);

  /// Fills a block that Next() gave before. Thread-safe.
  absl::Status Again(const BlockPlace& place, Block& block) const;

 private:
  absl::Status Read(std::int64_t offset, std::int64_t size, std::string& bytes) const;

  const StagedFile& file_;
  const std::stop_token& stop_;
  const BlockSizes sizes_;
  std::mutex mutex_;
  BlockPlace next_;  // guarded by mutex_; without size
};

}  // namespace millrace::data
