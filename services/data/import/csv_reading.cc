#include "services/data/import/csv_reading.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "common/status/status.h"

namespace millrace::data {

absl::Status ReadRecords(const StagedFile& file,
                         csv::Tokenizer tokenizer,
                         const std::stop_token& stop,
                         csv::RecordSink sink) {
  constexpr std::int64_t kChunkBytes = std::int64_t{1} << 20;
  for (std::int64_t offset = 0; offset < file.size; offset += kChunkBytes) {
    if (stop.stop_requested()) {
      return Cancelled("the import was stopped at byte {} of {}", offset, file.size);
    }
    const std::int64_t size = std::min(kChunkBytes, file.size - offset);
    ASSIGN_OR_RETURN(const std::string chunk, file.read(offset, size));
    if (static_cast<std::int64_t>(chunk.size()) != size) {
      return DataLoss(
          "the staged file must have {} bytes at {}, found {}", size, offset, chunk.size());
    }
    RETURN_IF_ERROR(tokenizer.Feed(chunk, sink));
  }
  return tokenizer.Finish(sink);
}

}  // namespace millrace::data
