#include "common/security/token_file.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/status/status.h"

namespace millrace::security {

namespace {

constexpr std::size_t kTokenBytesMax = 4096;  // gRPC's headers take 8 KiB together
constexpr std::string_view kSpace = " \t\r\n";

absl::StatusOr<std::string> ParseToken(const std::string& path, std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  const std::size_t end = text.find_last_not_of(kSpace) + 1;
  const std::string_view token = text.substr(begin, end - begin);
  const bool printable =
      std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (token.empty() || token.size() > kTokenBytesMax || !printable) {
    return FailedPrecondition(
        "{} must hold one token of 1 to {} printable characters", path, kTokenBytesMax);
  }
  return std::string(token);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TokenFile>> TokenFile::Open(const std::string& path) {
  auto file = std::unique_ptr<TokenFile>(new TokenFile);
  ASSIGN_OR_RETURN(file->watched_,
                   WatchedFiles::Start("token",
                                       {{.path = path, .guard = Guard::kNotWritableByOthers}},
                                       [path, target = file.get()](const auto& contents) {
                                         ASSIGN_OR_RETURN(std::string token,
                                                          ParseToken(path, contents[0]));
                                         const std::lock_guard lock(target->mutex_);
                                         target->token_ = std::move(token);
                                         return absl::OkStatus();
                                       }));
  return file;
}

std::string TokenFile::token() const {
  const std::lock_guard lock(mutex_);
  return token_;
}

}  // namespace millrace::security
