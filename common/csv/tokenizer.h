// Tokenizer: CSV bytes in, records out.
//
// The grammar is RFC 4180's, with the answers that it leaves open:
// - Lines end with LF or CRLF; a carriage return elsewhere must stand inside quotes.
// - A cell that begins with a quote ends with the quote that is not doubled; a delimiter or the end
//   of the line must follow. Inside, delimiters and line ends are text and two quotes are one.
// - In a cell that does not begin with a quote, quotes are text, as in 37°36'37.8"N 121°2'17.9"W.
//   They must be paired there: a lone one is more often a damaged file than an inch.
// - A line with nothing on it is no record. The last line may lack its end.
// - The bytes are UTF-8 without NUL; a byte order mark at the start is passed over.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include "common/csv/position.h"
#include "common/csv/structure.h"
#include "common/csv/text_check.h"

namespace millrace::csv {

/// What one file may ask of us. Sizes are of the file's bytes, quotes included.
struct Limits {
  std::int64_t columns_max = 16384;
  std::int64_t cell_bytes_max = std::int64_t{1} << 20;
  std::int64_t row_bytes_max = std::int64_t{16} << 20;
};

/// Where in its file a stretch stands that is read by a tokenizer of its own.
struct Stretch {
  std::int64_t first_line = 1;
  std::int64_t width = 0;  // cells of the file's first row; 0: it is in this stretch
};

struct TokenizerOptions {
  char delimiter = ',';
  bool same_width = true;  // whether a row must have as many cells as the first
  Limits limits = {};
  Stretch stretch = {};  // by default the whole file

  // Bytes to gather before looking for records. Fewer find them earlier and look more often.
  std::size_t parse_bytes = std::size_t{64} << 10U;
};

/// One row of a file. Lives during the call that gives it.
class Record {
 public:
  /// What the cells say: unquoted, not trimmed.
  [[nodiscard]] std::span<const std::string_view> cells() const { return cells_; }

  /// The line on which the row begins.
  [[nodiscard]] std::int64_t line() const { return line_; }

  /// Where a cell begins.
  [[nodiscard]] Position PositionOf(std::size_t cell) const;

 private:
  friend class Tokenizer;

  std::span<const std::string_view> cells_;
  std::span<const std::size_t> starts_;  // of the cells in `raw_`
  std::string_view raw_;                 // the row as the file has it
  std::int64_t line_ = 1;
};

/// Takes a record; an error ends the reading and is returned as it came.
using RecordSink = absl::FunctionRef<absl::Status(const Record&)>;

/// Reads one file, given in chunks of any size; the records and errors do not depend on them.
///
/// Memory: a buffer of a few chunks or of the longest row. Not thread-safe. Errors are
/// INVALID_ARGUMENT as "{file}:{line}:{column}: what, expected, found", with the fix attached;
/// after one the object is of no further use.
class Tokenizer {
 public:
  /// `file_name` stands in messages.
  Tokenizer(std::string file_name, TokenizerOptions options);

  /// Takes the next bytes. Gives the records that are complete, though some may wait for more.
  absl::Status Feed(std::string_view chunk, RecordSink sink);

  /// Says that all bytes were fed, and gives the rest.
  absl::Status Finish(RecordSink sink);

 private:
  // How far a record in the buffer was read.
  enum class Outcome { kRecord, kBlank, kIncomplete, kError };

  void Append(std::string_view chunk);
  void DropByteOrderMark();
  absl::Status Parse(bool is_end, RecordSink sink);
  absl::Status ParseText(RecordSink sink);
  absl::Status Emit(RecordSink sink);
  void UnquoteCells();

  Outcome ReadRecord(Structure& structure);
  Outcome ReadCell(Structure& structure, std::size_t& end);
  Outcome ReadQuoted(Structure& structure, std::size_t& end);
  Outcome ReadLineEnd(Structure& structure, std::size_t end);
  Outcome EndOfText(std::size_t& end);
  bool WithinLimits(std::size_t end);
  void AddCell(std::size_t begin, std::size_t end);

  Outcome Fail(std::size_t at, std::string_view what, std::string_view fix);
  [[nodiscard]] absl::Status TextError(std::size_t at, TextCheck::End end) const;
  [[nodiscard]] absl::Status WidthError() const;

  std::string file_name_;
  TokenizerOptions options_;

  // Bytes that were fed and not yet given, `size_` of them, and padding.
  std::string buffer_;
  std::size_t size_ = 0;
  std::size_t parse_at_ = 0;  // the size from which parsing is worth a try
  bool at_start_;             // whether a byte order mark may still come
  std::int64_t line_;         // of `record_`

  // The record being read, as positions in the buffer.
  std::size_t text_end_ = 0;     // of the bytes that are known to be text
  bool is_end_ = false;          // whether the file ends there
  std::size_t record_ = 0;       // where it begins
  std::size_t cell_ = 0;         // where its current cell begins
  std::size_t next_ = 0;         // where the record after it begins
  std::int64_t line_feeds_ = 0;  // inside its quotes
  std::vector<std::string_view> cells_;
  std::vector<std::size_t> starts_;   // of the cells, from `record_`
  std::vector<std::size_t> doubled_;  // cells that have doubled quotes
  std::string unquoted_;              // what those cells say
  std::size_t width_;                 // cells of the first record; 0: none yet
  absl::Status error_;
};

}  // namespace millrace::csv
