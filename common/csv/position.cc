#include "common/csv/position.h"

#include <algorithm>

#include <fmt/core.h>

namespace millrace::csv {

Position PositionAfter(std::int64_t line, std::string_view text) {
  const std::int64_t line_feeds = std::count(text.begin(), text.end(), '\n');
  const std::size_t last = text.rfind('\n');
  const std::string_view rest = last == std::string_view::npos ? text : text.substr(last + 1);
  const std::int64_t characters = std::count_if(rest.begin(), rest.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;  // not inside a character
  });
  return {.line = line + line_feeds, .column = characters + 1};
}

std::string Where(std::string_view file_name, Position position) {
  return fmt::format("{}:{}:{}", file_name, position.line, position.column);
}

}  // namespace millrace::csv
