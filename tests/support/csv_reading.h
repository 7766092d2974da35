// CsvReading: the rows of a text, as tests compare them.

#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "common/csv/tokenizer.h"

namespace millrace::csv {

using Rows = std::vector<std::vector<std::string>>;

struct Reading {
  Rows rows;
  std::vector<std::int64_t> lines;  // on which each row begins
  absl::Status status;
};

/// Reads `text` in chunks of `chunk_bytes`.
inline Reading Read(std::string_view text, std::size_t chunk_bytes, TokenizerOptions options = {}) {
  Reading reading;
  const auto keep = [&](const Record& record) {
    reading.rows.emplace_back(record.cells().begin(), record.cells().end());
    reading.lines.push_back(record.line());
    return absl::OkStatus();
  };
  Tokenizer tokenizer("t.csv", options);
  for (std::size_t at = 0; at < text.size() && reading.status.ok(); at += chunk_bytes) {
    reading.status = tokenizer.Feed(text.substr(at, chunk_bytes), keep);
  }
  if (reading.status.ok()) {
    reading.status = tokenizer.Finish(keep);
  }
  return reading;
}

inline Reading Read(std::string_view text) {
  return Read(text, std::max<std::size_t>(text.size(), 1));
}

}  // namespace millrace::csv
