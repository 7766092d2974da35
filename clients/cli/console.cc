#include "clients/cli/console.h"

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>

#include <absl/status/status.h>
#include <fmt/core.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::cli {

void Console::Print(std::string_view text) {
  Redraw({});
  out_ << text << std::flush;
}

void Console::Note(std::string_view line) {
  Redraw({});
  err_ << line << "\n" << std::flush;
}

void Console::Complain(std::string_view lines) {
  Redraw({});
  err_ << lines << std::flush;
}

std::optional<std::string> Console::Ask(std::string_view question) {
  if (in_ == nullptr) {
    return std::nullopt;
  }
  Complain(fmt::format("{} ", question));
  std::string answer;
  std::getline(*in_, answer);
  return answer;
}

void Console::Redraw(std::string_view line) {
  if (!live_ || (line.empty() && !drawn_)) {
    return;
  }
  // To the line's start, clear to its end. The line does not wrap: of one on two lines, only the
  // second could be replaced. All in one piece, so that no interruption leaves half of it.
  err_ << (line.empty() ? "\r\x1b[K" : fmt::format("\r\x1b[K\x1b[?7l{}\x1b[?7h", line))
       << std::flush;
  drawn_ = !line.empty();
}

absl::Status Console::Written() const {
  return out_ ? absl::OkStatus()
              : WithFix(absl::UnknownError("standard output could not be written"),
                        "see that its disk has room, or that its reader is still there");
}

bool IsLive(int descriptor) {
  const char* const terminal = std::getenv("TERM");
  return isatty(descriptor) == 1 && terminal != nullptr && terminal != std::string_view("dumb");
}

std::size_t ColumnsOf(int descriptor) {
  if (isatty(descriptor) != 1) {
    return 0;
  }
  const char* const said = std::getenv("COLUMNS");
  const std::string_view text = said == nullptr ? "" : said;
  std::size_t columns = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), columns);
  if (!text.empty() && error == std::errc() && end == text.data() + text.size()) {
    return columns;
  }
  winsize size{};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::string ToJson(const google::protobuf::Message& message, bool one_line) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = !one_line;
  options.always_print_primitive_fields = true;
  std::string json;
  // Fails only for messages that no valid proto3 text can make, which ours are not.
  CHECK(google::protobuf::util::MessageToJsonString(message, &json, options).ok());
  if (!json.ends_with('\n')) {
    json += "\n";
  }
  return json;
}

std::string ToJson(std::string_view text) {
  google::protobuf::StringValue value;
  value.set_value(std::string(text));
  std::string json = ToJson(value, /*one_line=*/true);
  json.pop_back();
  return json;
}

}  // namespace millrace::cli
