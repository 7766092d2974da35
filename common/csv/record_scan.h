// RecordScan: where a stretch of a file may be cut between two records, without reading its cells.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace::csv {

/// Looks for line feeds with an even number of quotes before them, from where a record begins. If
/// the records are what the tokenizer takes, each has an even number of quotes, and a line feed
/// with an odd number before it is inside a quoted cell; so those found are the ends of records. If
/// they are not, the tokenizer finds an error before or at the first place where that is wrong.
///
/// Not thread-safe. Reads 64 bytes at a time.
class RecordScan {
 public:
  /// Goes on with the next bytes.
  void Add(std::string_view bytes);

  /// How many bytes the whole records among those added have; 0: the first has not ended.
  [[nodiscard]] std::size_t end() const { return end_; }

  /// Line feeds among them.
  [[nodiscard]] std::int64_t line_feeds() const { return line_feeds_at_end_; }

 private:
  void AddBlock(const char* bytes, std::size_t size);

  std::size_t size_ = 0;         // added
  std::uint64_t inside_ = 0;     // all ones where an odd number of quotes came
  std::int64_t line_feeds_ = 0;  // added
  std::size_t end_ = 0;
  std::int64_t line_feeds_at_end_ = 0;
};

}  // namespace millrace::csv
