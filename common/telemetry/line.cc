#include "common/telemetry/line.h"

#include <algorithm>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace millrace::log {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kValueBytesMax = 256;

// Cuts before a character of UTF-8, not inside.
std::string Cut(std::string_view value) {
  if (value.size() <= kValueBytesMax) {
    return std::string(value);
  }
  std::size_t end = kValueBytesMax;
  while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  return std::string(value.substr(0, end)) + "...";
}

std::string Dump(const Json& json, bool ascii) {
  return json.dump(-1, ' ', ascii, Json::error_handler_t::replace);
}

bool IsPlain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != '=';
  });
}

// Nothing that a terminal would take for a command.
std::string Shown(std::string_view text) {
  return IsPlain(text) ? std::string(text) : Dump(Json(text), /*ascii=*/true);
}

}  // namespace

std::string JsonLine(const Line& line) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(line.time);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(line.time - seconds).count();
  Json json;
  json["time"] = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                             fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                             milliseconds);
  json["level"] = line.level;
  json["service"] = line.service;
  json["event"] = Cut(line.event);
  for (const Field& field : line.fields) {
    json.emplace(std::string(field.key), Cut(field.value));
  }
  return Dump(json, /*ascii=*/false);
}

std::string TerminalLine(const Line& line) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(line.time);
  const std::string event = Cut(line.event);
  const bool printable =
      std::all_of(event.begin(), event.end(), [](char c) { return c >= ' ' && c <= '~'; });
  std::string text = fmt::format("{:%H:%M:%S} {} {}",
                                 fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                                 line.level,
                                 printable ? event : Shown(event));
  for (const Field& field : line.fields) {
    text += fmt::format(" {}={}", field.key, Shown(Cut(field.value)));
  }
  return text;
}

}  // namespace millrace::log
