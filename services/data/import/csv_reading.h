// CsvReading: a staged file, tokenized from its first byte to its last.

#pragma once

#include <stop_token>

#include <absl/status/status.h>

#include "common/csv/tokenizer.h"
#include "services/data/import/staged_file.h"

namespace millrace::data {

/// Gives every record to `sink`. CANCELLED when `stop` was asked for, looked at once a chunk of
/// 1 MiB.
absl::Status ReadRecords(const StagedFile& file,
                         csv::Tokenizer tokenizer,
                         const std::stop_token& stop,
                         csv::RecordSink sink);

}  // namespace millrace::data
