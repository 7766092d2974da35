#include "clients/cli/json_splitter.h"

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <fmt/core.h>

#include "common/status/status.h"

namespace millrace::cli {

JsonSplitter::JsonSplitter(std::string file_name) : file_name_(std::move(file_name)) {}

absl::Status JsonSplitter::Fail(std::string_view what) const {
  return WithFix(InvalidArgument("{}:{}: {}", file_name_, line_, what),
                 "give an array of objects, or one object a line");
}

// Whether the object goes on.
bool JsonSplitter::TakeInside(char c) {
  if (in_text_) {
    in_text_ = escaped_ || c != '"';
    escaped_ = !escaped_ && c == '\\';
  } else if (c == '"') {
    in_text_ = true;
  } else if (c == '{' || c == '[') {
    ++depth_;
  } else if (c == '}' || c == ']') {
    --depth_;
  }
  return depth_ > 0;
}

absl::Status JsonSplitter::TakeBetween(char c) {
  const bool first = array_ == Array::kUnknown;
  if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || (c == ',' && array_ == Array::kOpen)) {
    return absl::OkStatus();
  }
  if (c == '[' && first) {
    array_ = Array::kOpen;
    return absl::OkStatus();
  }
  if (c == ']' && array_ == Array::kOpen) {
    array_ = Array::kClosed;
    return absl::OkStatus();
  }
  if (c != '{' || array_ == Array::kClosed) {
    return Fail("expected an object");
  }
  array_ = first ? Array::kNone : array_;
  depth_ = 1;
  return absl::OkStatus();
}

absl::Status JsonSplitter::Take(char c, std::deque<std::string>& objects) {
  constexpr std::size_t kObjectBytesMax = std::size_t{16} << 20U;
  line_ += c == '\n' ? 1 : 0;
  if (depth_ == 0) {
    RETURN_IF_ERROR(TakeBetween(c));
    object_.append(static_cast<std::size_t>(depth_), c);  // the brace that opens it
    return absl::OkStatus();
  }
  object_ += c;
  if (!TakeInside(c)) {
    objects.push_back(std::exchange(object_, {}));
  }
  return object_.size() > kObjectBytesMax ? Fail("an object must have at most 16 MiB")
                                          : absl::OkStatus();
}

absl::Status JsonSplitter::Feed(std::string_view bytes, std::deque<std::string>& objects) {
  for (const char c : bytes) {
    RETURN_IF_ERROR(Take(c, objects));
  }
  return absl::OkStatus();
}

absl::Status JsonSplitter::Finish() {
  return depth_ > 0 || array_ == Array::kOpen ? Fail("it ends before its end") : absl::OkStatus();
}

}  // namespace millrace::cli
