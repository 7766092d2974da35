#include "common/audit/line.h"

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

absl::Status FollowLine(std::string_view line, Position& position) {
  constexpr std::size_t kTail = kDigestKey.size() + kDigestBytes + kEnd.size();
  const std::size_t covered = line.size() < kTail ? 0 : line.size() - kTail;
  if (line.size() < kTail || line.substr(covered, kDigestKey.size()) != kDigestKey ||
      line.substr(line.size() - kEnd.size()) != kEnd) {
    return DataLoss("the line does not end with its digest");
  }
  const std::string digest = DigestOf(line.substr(0, covered));
  if (line.substr(covered + kDigestKey.size(), kDigestBytes) != digest) {
    return DataLoss("the line was changed: its digest differs");
  }
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("sequence") || !json["sequence"].is_number_integer() ||
      !json.contains("previous") || !json["previous"].is_string()) {
    return DataLoss("the line has no sequence or no previous digest");
  }
  const auto sequence = json["sequence"].get<std::int64_t>();
  if (sequence != position.sequence + 1) {
    return DataLoss("lines are missing, doubled or moved: expected sequence {}, found {}",
                    position.sequence + 1,
                    sequence);
  }
  if (json["previous"].get<std::string>() != position.digest) {
    return DataLoss("the line does not continue the one before: its previous digest differs");
  }
  position = {.sequence = sequence, .digest = digest};
  return absl::OkStatus();
}

}  // namespace millrace::audit
