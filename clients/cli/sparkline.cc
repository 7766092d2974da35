#include "clients/cli/sparkline.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace millrace::cli {

bool SpeaksUtf8() {
  for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    if (const char* const value = std::getenv(name); value != nullptr && *value != '\0') {
      const std::string_view locale = value;
      return locale.find("UTF-8") != std::string_view::npos ||
             locale.find("utf8") != std::string_view::npos;
    }
  }
  return false;
}

std::string Sparkline(const google::protobuf::RepeatedField<std::int64_t>& bins, bool utf8) {
  constexpr std::array<std::string_view, 8> kBlocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr std::array<std::string_view, 8> kAscii{".", ":", "-", "=", "+", "*", "%", "@"};
  const auto& levels = utf8 ? kBlocks : kAscii;
  const std::int64_t most = bins.empty() ? 0 : *std::max_element(bins.begin(), bins.end());
  std::string line;
  for (const std::int64_t bin : bins) {
    const double share = most <= 0 ? 0 : static_cast<double>(bin) / static_cast<double>(most);
    const auto top = static_cast<double>(levels.size() - 1);
    line += bin <= 0 ? " " : levels[static_cast<std::size_t>(share * top)];
  }
  return line;
}

}  // namespace millrace::cli
