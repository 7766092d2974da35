#include "common/resource/name.h"

#include <algorithm>
#include <charconv>

#include "common/status/status.h"

namespace millrace {

namespace {

constexpr std::size_t kIdBytesMax = 63;
constexpr std::size_t kShownBytesMax = 128;
constexpr std::string_view kVersions = "/versions/";
constexpr std::string_view kDigestPrefix = "sha256:";
constexpr std::size_t kDigestDigits = 64;

constexpr std::string_view kIdRule = "1 to 63 of a-z, 0-9, _ and -, the first a letter or a digit";

bool IsLowerOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool IsHexDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

// What a message may show of a name that did not pass: short, and nothing that a terminal or a log
// would take for a command.
std::string Shown(std::string_view name) {
  std::string shown(name.substr(0, kShownBytesMax));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return name.size() > kShownBytesMax ? shown + "..." : shown;
}

bool TakePrefix(std::string_view prefix, std::string_view& text) {
  if (text.substr(0, prefix.size()) != prefix) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

// A number from 1 up without sign or leading zeros, so that each version has one name.
bool ParseVersion(std::string_view text, std::int32_t& version) {
  if (text.empty() || text.front() < '1' || text.front() > '9') {
    return false;
  }
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, version);
  return result.ec == std::errc() && result.ptr == end;
}

bool ParseDigest(std::string_view text, std::string& sha256) {
  if (!TakePrefix(kDigestPrefix, text) || text.size() != kDigestDigits ||
      !std::all_of(text.begin(), text.end(), IsHexDigit)) {
    return false;
  }
  sha256 = text;
  return true;
}

// Tenants may come to stand before today's names: nobody shall depend on such a name until then.
absl::Status CheckNoProject(std::string_view field, std::string_view name) {
  return name.starts_with("projects/")
             ? WithFix(
                   InvalidArgument("{} must not begin with 'projects/', which is reserved", field),
                   "leave the project out of the name")
             : absl::OkStatus();
}

}  // namespace

bool IsValidId(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax && IsLowerOrDigit(id.front()) &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return IsLowerOrDigit(c) || c == '_' || c == '-';
         });
}

absl::StatusOr<VersionedName> ParseVersionedName(std::string_view collection,
                                                 std::string_view field,
                                                 std::string_view name) {
  RETURN_IF_ERROR(CheckNoProject(field, name));
  const bool digests = collection == "datasets";
  const auto fails = [&] {
    return WithFix(
        InvalidArgument("{} must be '{}/{{id}}' or '{}/{{id}}/versions/{{number{}}}', found '{}'",
                        field,
                        collection,
                        collection,
                        digests ? " or sha256:digest" : "",
                        Shown(name)),
        fmt::format("an id is {}; a version is a number from 1 up", kIdRule));
  };
  std::string_view rest = name;
  if (!TakePrefix(CollectionName(collection, ""), rest)) {
    return fails();
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  VersionedName result{.id = std::string(rest.substr(0, slash)), .version = 0, .sha256 = {}};
  rest.remove_prefix(slash);
  if (!IsValidId(result.id)) {
    return fails();
  }
  if (rest.empty()) {
    return result;
  }
  if (!TakePrefix(kVersions, rest)) {
    return fails();
  }
  if (ParseVersion(rest, result.version) || (digests && ParseDigest(rest, result.sha256))) {
    return result;
  }
  return fails();
}

absl::StatusOr<std::string> ParseRunName(std::string_view field, std::string_view name) {
  RETURN_IF_ERROR(CheckNoProject(field, name));
  std::string_view id = name;
  if (TakePrefix("runs/", id) && IsValidId(id)) {
    return std::string(id);
  }
  return WithFix(InvalidArgument("{} must be 'runs/{{id}}', found '{}'", field, Shown(name)),
                 fmt::format("an id is {}", kIdRule));
}

std::string VersionName(std::string_view collection, std::string_view id, std::int32_t version) {
  return fmt::format("{}/{}{}{}", collection, id, kVersions, version);
}

std::string CollectionName(std::string_view collection, std::string_view id) {
  return fmt::format("{}/{}", collection, id);
}

}  // namespace millrace
