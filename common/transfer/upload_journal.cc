#include "common/transfer/upload_journal.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <system_error>

#include <fmt/core.h>

#include "common/status/status.h"

namespace millrace::transfer {

namespace {

constexpr std::string_view kHead = "millrace-upload 1 ";
constexpr std::size_t kDigestDigits = 64;

bool IsDigest(std::string_view text) {
  return text.size() == kDigestDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// A whole number from 0 up that is all of `text`.
std::optional<std::int64_t> NumberIn(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end && number >= 0 ? std::optional(number) : std::nullopt;
}

std::optional<UploadProgress> ProgressIn(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) {
    return std::nullopt;
  }
  const auto bytes = NumberIn(line.substr(0, space));
  const auto seconds = NumberIn(line.substr(space + 1));
  if (!bytes.has_value() || !seconds.has_value()) {
    return std::nullopt;
  }
  return UploadProgress{.received_bytes = *bytes, .time_seconds = *seconds};
}

}  // namespace

std::string JournalHead(std::string_view header_sha256) {
  return fmt::format("{}{}\n", kHead, header_sha256);
}

std::string JournalLine(const UploadProgress& progress) {
  return fmt::format("{} {}\n", progress.received_bytes, progress.time_seconds);
}

absl::StatusOr<UploadJournal> ParseJournal(std::string_view text) {
  std::size_t end = text.find('\n');
  const std::string_view head = text.substr(0, end);
  if (end == std::string_view::npos || head.substr(0, kHead.size()) != kHead ||
      !IsDigest(head.substr(kHead.size()))) {
    return DataLoss("no journal of an upload: it must begin with '{}' and a digest", kHead);
  }
  UploadJournal journal{.header_sha256 = std::string(head.substr(kHead.size())), .last = {}};
  while (true) {
    const std::size_t begin = end + 1;
    end = text.find('\n', begin);
    if (end == std::string_view::npos) {
      break;
    }
    const auto progress = ProgressIn(text.substr(begin, end - begin));
    if (!progress.has_value()) {
      break;
    }
    journal.last = *progress;
    journal.size_bytes = static_cast<std::int64_t>(end) + 1;
  }
  if (journal.size_bytes == 0) {
    return DataLoss("the journal of an upload has no line that says how far it came");
  }
  return journal;
}

}  // namespace millrace::transfer
