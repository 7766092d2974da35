#include "services/data/import/block_source.h"

#include <algorithm>
#include <string_view>

#include "common/csv/record_scan.h"
#include "common/status/status.h"

namespace millrace::data {

absl::StatusOr<bool> BlockSource::Next(Block& block) {
  const std::lock_guard lock(mutex_);
  if (next_.offset == file_.size) {
    return false;
  }
  // A row over its limit is noticed once the tokenizer sees more than it may have.
  const std::int64_t bytes_max = sizes_.block_bytes + sizes_.row_bytes_max;
  csv::RecordScan scan;
  block.bytes.clear();
  std::int64_t end = next_.offset;
  while (end < file_.size && (end - next_.offset < sizes_.block_bytes || scan.end() == 0) &&
         end - next_.offset <= bytes_max) {
    const std::size_t before = block.bytes.size();
    const std::int64_t wanted = std::min(std::int64_t{1} << 20, sizes_.block_bytes);
    RETURN_IF_ERROR(Read(end, std::min(wanted, file_.size - end), block.bytes));
    scan.Add(std::string_view(block.bytes).substr(before));
    end = next_.offset + static_cast<std::int64_t>(block.bytes.size());
  }
  if (end < file_.size && scan.end() > 0) {
    block.bytes.resize(scan.end());
  }
  block.place = next_;
  block.place.size = static_cast<std::int64_t>(block.bytes.size());
  block.place.ends_a_record = end == file_.size || scan.end() > 0;
  ++next_.index;
  next_.offset += block.place.size;
  next_.first_line += scan.line_feeds();
  return true;
}

absl::Status BlockSource::Again(const BlockPlace& place, Block& block) const {
  block.place = place;
  block.bytes.clear();
  return Read(place.offset, place.size, block.bytes);
}

// Appends the bytes to `bytes`.
absl::Status BlockSource::Read(std::int64_t offset, std::int64_t size, std::string& bytes) const {
  constexpr std::int64_t kChunkBytes = std::int64_t{1} << 20;
  for (const std::int64_t end = offset + size; offset < end; offset += kChunkBytes) {
    if (stop_.stop_requested()) {
      return Cancelled("the import was stopped at byte {} of {}", offset, file_.size);
    }
    const std::int64_t wanted = std::min(kChunkBytes, end - offset);
    ASSIGN_OR_RETURN(const std::string chunk, file_.read(offset, wanted));
    if (static_cast<std::int64_t>(chunk.size()) != wanted) {
      return DataLoss(
          "the staged file must have {} bytes at {}, found {}", wanted, offset, chunk.size());
    }
    bytes += chunk;
  }
  return absl::OkStatus();
}

}  // namespace millrace::data
