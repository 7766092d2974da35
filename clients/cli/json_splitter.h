// JsonSplitter: where one JSON object ends and the next begins, without reading what is inside.

#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace millrace::cli {

/// Cuts `[{...}, {...}]` or `{...} {...}` into the objects' texts. Holds one object, of at most
/// 16 MiB. Not thread-safe; after an error of no further use.
class JsonSplitter {
 public:
  /// `file_name` stands in messages.
  explicit JsonSplitter(std::string file_name);

  /// Takes the next bytes, and appends the objects that are complete. INVALID_ARGUMENT for what
  /// stands between them and must not.
  absl::Status Feed(std::string_view bytes, std::deque<std::string>& objects);

  /// INVALID_ARGUMENT when an object or the array has no end.
  absl::Status Finish();

 private:
  absl::Status Take(char c, std::deque<std::string>& objects);
  absl::Status TakeBetween(char c);
  bool TakeInside(char c);
  [[nodiscard]] absl::Status Fail(std::string_view what) const;

  std::string file_name_;
  std::string object_;
  std::int64_t line_ = 1;
  int depth_ = 0;         // of braces and brackets inside of an object
  bool in_text_ = false;  // between quotes
  bool escaped_ = false;  // behind a backslash there
  enum class Array { kUnknown, kNone, kOpen, kClosed } array_ = Array::kUnknown;
};

}  // namespace millrace::cli
