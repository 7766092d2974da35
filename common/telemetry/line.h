// Line: how one logged event is written.

#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "common/telemetry/log.h"

namespace millrace::log {

/// One event. Views must outlive it.
struct Line {
  std::chrono::system_clock::time_point time;
  std::string_view level;
  std::string_view service;
  std::string_view event;
  std::span<const Field> fields;
};

/// One JSON object without a line end: time (RFC 3339, UTC, milliseconds), level, service, event,
/// then the fields. A field never replaces one of the first four. Bytes that are no UTF-8 become
/// U+FFFD; values are cut to 256 bytes.
std::string JsonLine(const Line& line);

/// `12:34:56 info event key=value`, with values quoted and escaped where they hold anything but
/// printable ASCII without spaces and quotes.
std::string TerminalLine(const Line& line);

}  // namespace millrace::log
