// Position: where in a text file something stands, as an editor shows it.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::csv {

struct Position {
  std::int64_t line = 1;    // from 1 up; lines end with a line feed
  std::int64_t column = 1;  // from 1 up, in characters (code points), not bytes
};

/// The position right after `text`, when `text` begins at the first column of `line`.
Position PositionAfter(std::int64_t line, std::string_view text);

/// "iris.csv:7:12".
std::string Where(std::string_view file_name, Position position);

}  // namespace millrace::csv
