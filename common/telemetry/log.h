// Log: structured lines on standard error. JSON unless on a terminal; never a feature's value.

#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::log {

/// One key and its value. Values are escaped and cut to 256 bytes.
struct Field {
  std::string_view key;
  std::string value;
};

/// Prepares logging for a process: `service` stands in every line, and gRPC's and protobuf's own
/// messages are sent the same way, at most 10 a second. Call once, first in main(). `level` is one
/// of debug, info, warning, error.
void Start(std::string_view service, std::string_view level = "info");

/// Whether debug lines are written: for those that cost something to make.
bool DebugIsOn();

void Debug(std::string_view event, std::initializer_list<Field> fields = {});
void Info(std::string_view event, std::initializer_list<Field> fields = {});
void Warning(std::string_view event, std::initializer_list<Field> fields = {});
void Error(std::string_view event, std::initializer_list<Field> fields = {});

}  // namespace millrace::log
