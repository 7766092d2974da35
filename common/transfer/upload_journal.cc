#include "common/transfer/upload_journal.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <system_error>

#include <fmt/core.h>

#include "common/status/status.h"
#include "common/storage/sha256.h"

namespace millrace::transfer {

namespace {

constexpr std::string_view kHead = "millrace-upload ";
constexpr std::size_t kSenderDigits = 16;

// Takes what is before the next blank off the front of `text`.
std::string_view TakeWord(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

std::optional<UploadOrigin> OriginIn(std::string_view line) {
  if (line.substr(0, kHead.size()) != kHead) {
    return std::nullopt;
  }
  line.remove_prefix(kHead.size());
  const std::string_view version = TakeWord(line);
  UploadOrigin origin{.header_sha256 = std::string(TakeWord(line)), .subject = {}, .sender = {}};
  if (version == "2") {
    origin.subject = TakeWord(line);
    origin.sender = TakeWord(line);
  }
  const bool is_whole = (version == "1" || storage::IsHex(origin.sender, kSenderDigits)) &&
                        storage::IsHex(origin.header_sha256) && line.empty();
  return is_whole && (version == "1" || version == "2") ? std::optional(std::move(origin))
                                                        : std::nullopt;
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

std::string JournalHead(const UploadOrigin& origin) {
  return fmt::format("{}2 {} {} {}\n", kHead, origin.header_sha256, origin.subject, origin.sender);
}

std::string JournalLine(const UploadProgress& progress) {
  return fmt::format("{} {}\n", progress.received_bytes, progress.time_seconds);
}

absl::StatusOr<UploadJournal> ParseJournal(std::string_view text) {
  std::size_t end = text.find('\n');
  std::optional<UploadOrigin> origin =
      end == std::string_view::npos ? std::nullopt : OriginIn(text.substr(0, end));
  if (!origin.has_value()) {
    return DataLoss("no journal of an upload: it must begin with '{}', a version and a digest",
                    kHead);
  }
  UploadJournal journal{.origin = *std::move(origin), .last = {}};
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
