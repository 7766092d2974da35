#include "common/audit/line.h"

#include <ctime>

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include "common/status/status.h"
#include "common/storage/sha256.h"

namespace millrace::audit {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kValueBytesMax = 256;
constexpr std::size_t kDigestBytes = 64;
constexpr std::string_view kDigestKey = R"(,"digest":")";
constexpr std::string_view kEnd = R"("})";
constexpr const char* kRetention = "millrace.audit/Retention";

// Cuts before a character of UTF-8, not inside.
std::string Cut(const std::string& value) {
  if (value.size() <= kValueBytesMax) {
    return value;
  }
  std::size_t end = kValueBytesMax;
  while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  return value.substr(0, end) + "...";
}

std::string FormatTime(std::chrono::system_clock::time_point time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(time - seconds).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     milliseconds);
}

// What FormatTime() gave, to the second; 1970 where it is something else.
std::chrono::system_clock::time_point ParseTime(const std::string& text) {
  std::tm parts{};
  const char* const rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  return std::chrono::system_clock::from_time_t(rest == nullptr ? 0 : timegm(&parts));
}

std::string DigestOf(std::string_view bytes) {
  return storage::ToHex(storage::Sha256Of(bytes));
}

}  // namespace

std::string FormatLine(const Change& change,
                       std::chrono::system_clock::time_point time,
                       Position& position) {
  Json json;
  json["sequence"] = position.sequence + 1;
  json["time"] = FormatTime(time);
  json["caller"] = Cut(change.caller);
  json["request_id"] = Cut(change.request_id);
  json["method"] = Cut(change.method);
  json["resource"] = Cut(change.resource);
  json["outcome"] = Cut(change.outcome);
  json["previous"] = position.digest;
  std::string line = json.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  line.pop_back();  // the closing brace, until the digest stands before it
  ++position.sequence;
  position.digest = DigestOf(line);
  line.append(kDigestKey).append(position.digest).append(kEnd);
  return line;
}

std::string FormatRetention(std::chrono::system_clock::time_point time, const Position& position) {
  Position before{.sequence = position.sequence - 1, .digest = position.digest};
  return FormatLine({.caller = {},
                     .request_id = {},
                     .method = kRetention,
                     .resource = {},
                     .outcome = "lines up to this sequence were removed by their age"},
                    time,
                    before);
}

absl::StatusOr<LineHead> ReadHead(std::string_view line) {
  constexpr std::size_t kTail = kDigestKey.size() + kDigestBytes + kEnd.size();
  const std::size_t covered = line.size() < kTail ? 0 : line.size() - kTail;
  if (line.size() < kTail || line.substr(covered, kDigestKey.size()) != kDigestKey ||
      line.substr(line.size() - kEnd.size()) != kEnd) {
    return DataLoss("the line does not end with its digest");
  }
  if (line.substr(covered + kDigestKey.size(), kDigestBytes) != DigestOf(line.substr(0, covered))) {
    return DataLoss("the line was changed: its digest differs");
  }
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("sequence") || !json["sequence"].is_number_integer() ||
      !json.contains("previous") || !json["previous"].is_string()) {
    return DataLoss("the line has no sequence or no previous digest");
  }
  const auto text = [&](const char* key) {
    return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : "";
  };
  return LineHead{.sequence = json["sequence"].get<std::int64_t>(),
                  .previous = json["previous"].get<std::string>(),
                  .time = ParseTime(text("time")),
                  .is_retention = text("method") == kRetention};
}

absl::Status FollowLine(std::string_view line, Position& position) {
  ASSIGN_OR_RETURN(const LineHead head, ReadHead(line));
  if (head.sequence != position.sequence + 1) {
    return DataLoss("lines are missing, doubled or moved: expected sequence {}, found {}",
                    position.sequence + 1,
                    head.sequence);
  }
  if (head.previous != position.digest) {
    return DataLoss("the line does not continue the one before: its previous digest differs");
  }
  const std::size_t digest = line.size() - kEnd.size() - kDigestBytes;
  position = {.sequence = head.sequence, .digest = std::string(line.substr(digest, kDigestBytes))};
  return absl::OkStatus();
}

}  // namespace millrace::audit
