// Console: the two streams of a command, data on one and words on the other.

#pragma once

#include <cstddef>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <google/protobuf/message.h>

namespace millrace::cli {

/// Writes results to standard output; progress, hints and errors to standard error. Does not own
/// the streams. Not thread-safe.
class Console {
 public:
  /// `live` says whether the error stream is a terminal whose last line can be written again; see
  /// IsLive(). `in` is where a person answers; null when none is there. `piped` says whether
  /// another program or a file gets the data, not a terminal.
  Console(std::ostream& out,
          std::ostream& err,
          bool live,
          std::istream* in = nullptr,
          bool piped = false)
      : out_(out),
        err_(err),
        live_(live),
        in_(in),
        piped_(piped) {}

  /// How many columns the terminals of the data and of the words have; 0, as where nobody says:
  /// nothing has to fit.
  void SetColumns(std::size_t data, std::size_t words) {
    data_columns_ = data;
    word_columns_ = words;
  }

  /// Of the terminal that shows the data; 0 when there is none.
  [[nodiscard]] std::size_t data_columns() const { return piped_ ? 0 : data_columns_; }

  /// Of the terminal that shows the words.
  [[nodiscard]] std::size_t word_columns() const { return word_columns_; }

  /// Data, as it is; callers end their lines.
  void Print(std::string_view text);

  /// One line for a person.
  void Note(std::string_view line);

  /// Lines for a person, as they are.
  void Complain(std::string_view lines);

  /// The answer to a question for a person, which is followed by a blank; nothing when nobody is
  /// there.
  std::optional<std::string> Ask(std::string_view question);

  /// Replaces the last line of a live terminal; nothing elsewhere. Empty takes the line away. What
  /// is longer than the terminal is wide is cut there.
  void Redraw(std::string_view line);

  [[nodiscard]] bool live() const { return live_; }

  [[nodiscard]] bool piped() const { return piped_; }

  /// OK, or UNKNOWN when some of the data could not be written.
  [[nodiscard]] absl::Status Written() const;

 private:
  std::ostream& out_;
  std::ostream& err_;
  bool live_;
  std::istream* in_;
  bool piped_;
  bool drawn_ = false;  // whether the last line is one that Redraw() wrote
  std::size_t data_columns_ = 0;
  std::size_t word_columns_ = 0;
};

/// Whether `descriptor` is a terminal that understands more than lines.
bool IsLive(int descriptor);

/// The columns of the terminal at `descriptor`, by COLUMNS where that is a number; 0 when it is no
/// terminal or does not say.
std::size_t ColumnsOf(int descriptor);

/// Protobuf JSON with every field, indented over lines, or on one line when `one_line`.
std::string ToJson(const google::protobuf::Message& message, bool one_line = false);

/// `text` as a JSON string, quotes included.
std::string ToJson(std::string_view text);

}  // namespace millrace::cli
