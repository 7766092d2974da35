#include "common/security/access_list.h"

#include <algorithm>
#include <utility>

#include <google/protobuf/util/time_util.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "common/config/config.h"
#include "common/status/check.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace millrace::security {

namespace {

constexpr int kCallersMax = 1024;  // each is compared with every token
constexpr std::size_t kNameBytesMax = 63;
constexpr std::string_view kNameLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-";

using Digest = std::array<unsigned char, 32>;
using TimePoint = std::chrono::system_clock::time_point;

Digest DigestOf(std::string_view text) {
  Digest digest{};
  unsigned int size = 0;
  CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
  CHECK(size == digest.size());
  return digest;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

absl::StatusOr<Digest> ParseDigest(std::string_view hex) {
  Digest digest{};
  if (hex.size() != 2 * digest.size()) {
    return InvalidArgument("token_sha256 must be 64 hexadecimal digits, found {} characters",
                           hex.size());
  }
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = HexDigit(hex[2 * i]);
    const int low = HexDigit(hex[2 * i + 1]);
    if (high < 0 || low < 0) {
      return InvalidArgument("token_sha256 must be 64 hexadecimal digits, found another character");
    }
    digest[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return digest;
}

absl::StatusOr<Permission> PermissionOf(v1::Caller::Role role) {
  switch (role) {
    case v1::Caller::ROLE_READER:
      return Permission::kReader;
    case v1::Caller::ROLE_WRITER:
      return Permission::kWriter;
    case v1::Caller::ROLE_OPERATOR:
      return Permission::kOperator;
    default:
      return InvalidArgument("role must be one of: reader, writer, operator");
  }
}

absl::StatusOr<TimePoint> ParseTime(const std::string& text) {
  google::protobuf::Timestamp time;
  if (!google::protobuf::util::TimeUtil::FromString(text, &time)) {
    return InvalidArgument("expire_time must be like 2027-01-31T00:00:00Z, found '{}'",
                           text.substr(0, 64));
  }
  // Saturates: the clock counts nanoseconds, which end in the year 2262.
  constexpr auto kSecondsMax =
      std::chrono::floor<std::chrono::seconds>(TimePoint::max().time_since_epoch()).count();
  if (time.seconds() >= kSecondsMax) {
    return TimePoint::max();
  }
  return TimePoint(std::chrono::seconds(std::max<std::int64_t>(time.seconds(), 0)));
}

// Whether nobody is left in it, and no mistake is either: nothing, or a list of none.
bool IsEmpty(std::string_view yaml) {
  std::string left;
  bool comment = false;
  for (const char c : yaml) {
    comment = c != '\n' && (comment || c == '#');
    if (!comment && c != ' ' && c != '\t' && c != '\r' && c != '\n') {
      left += c;
    }
  }
  return left.empty() || left == "callers:" || left == "callers:[]";
}

}  // namespace

std::string_view ToString(Permission permission) {
  switch (permission) {
    case Permission::kAnyone:
      return "anyone";
    case Permission::kReader:
      return "reader";
    case Permission::kWriter:
      return "writer";
    case Permission::kOperator:
      return "operator";
  }
  return "";
}

absl::StatusOr<AccessList::Entry> AccessList::ParseEntry(const v1::Caller& message) {
  const std::string& name = message.name();
  if (name.empty() || name.size() > kNameBytesMax ||
      name.find_first_not_of(kNameLetters) != std::string::npos) {
    return InvalidArgument("name must be 1 to 63 characters of [a-zA-Z0-9._@-]");
  }
  if (message.token_sha256().empty() == message.certificate().empty()) {
    return InvalidArgument("{} needs either token_sha256 or certificate, and not both", name);
  }
  Entry entry;
  entry.caller.name = name;
  ASSIGN_OR_RETURN(entry.caller.permission, PermissionOf(message.role()));
  if (!message.token_sha256().empty()) {
    ASSIGN_OR_RETURN(entry.token_digest, ParseDigest(message.token_sha256()));
  }
  entry.certificate = message.certificate();
  if (!message.expire_time().empty()) {
    ASSIGN_OR_RETURN(entry.expires, ParseTime(message.expire_time()));
  }
  return entry;
}

absl::StatusOr<AccessList> AccessList::Parse(std::string_view source, std::string_view yaml) {
  v1::AccessList message;
  RETURN_IF_ERROR(config::FillFromYaml(source, yaml, message));
  if (message.callers_size() == 0 || message.callers_size() > kCallersMax) {
    return InvalidArgument(
        "{}: there must be 1 to {} callers, found {}", source, kCallersMax, message.callers_size());
  }
  AccessList list;
  for (int i = 0; i < message.callers_size(); ++i) {
    absl::StatusOr<Entry> entry = ParseEntry(message.callers(i));
    if (!entry.ok()) {
      return Annotate(entry.status(), fmt::format("{}: callers[{}]", source, i));
    }
    for (const Entry& other : list.entries_) {
      if ((entry->token_digest.has_value() && entry->token_digest == other.token_digest) ||
          (!entry->certificate.empty() && entry->certificate == other.certificate)) {
        return InvalidArgument("{}: callers[{}]: {} has the token or certificate of {}",
                               source,
                               i,
                               entry->caller.name,
                               other.caller.name);
      }
    }
    list.entries_.push_back(*std::move(entry));
  }
  return list;
}

const AccessList::Entry* AccessList::FindToken(std::string_view token) const {
  const Digest digest = DigestOf(token);
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {  // to the end, whatever was found
    if (entry.token_digest.has_value() &&
        CRYPTO_memcmp(digest.data(), entry.token_digest->data(), digest.size()) == 0) {
      found = &entry;
    }
  }
  return found;
}

const AccessList::Entry* AccessList::FindCertificate(
    const std::vector<std::string_view>& names) const {
  for (const Entry& entry : entries_) {
    if (!entry.certificate.empty() &&
        std::find(names.begin(), names.end(), entry.certificate) != names.end()) {
      return &entry;
    }
  }
  return nullptr;
}

absl::StatusOr<Caller> AccessList::Find(const Credentials& credentials, TimePoint now) const {
  if (!credentials.token.has_value() && credentials.certificate_names.empty()) {
    return absl::UnauthenticatedError(
        "who calls is not known: send a token, as in 'authorization: Bearer TOKEN'");
  }
  const Entry* const entry = credentials.token.has_value()
                                 ? FindToken(*credentials.token)
                                 : FindCertificate(credentials.certificate_names);
  if (entry == nullptr) {
    return absl::UnauthenticatedError(credentials.token.has_value()
                                          ? "the token is not known"
                                          : "nobody is known by the certificate of the caller");
  }
  if (now >= entry->expires) {
    return absl::UnauthenticatedError(
        fmt::format("the access of {} has expired", entry->caller.name));
  }
  return entry->caller;
}

absl::StatusOr<std::unique_ptr<AccessFile>> AccessFile::Open(const std::string& path,
                                                             const Clock& clock) {
  auto file = std::unique_ptr<AccessFile>(new AccessFile(clock));
  ASSIGN_OR_RETURN(file->watched_,
                   WatchedFiles::Start(
                       "access list",
                       {{.path = path, .guard = Guard::kNotWritableByOthers}},
                       [path, access = file.get()](const auto& contents) {
                         return access->Take(path, contents[0]);
                       },
                       [access = file.get()] { access->Set(nullptr); }));
  return file;
}

absl::Status AccessFile::Take(const std::string& path, const std::string& yaml) {
  absl::StatusOr<AccessList> list = AccessList::Parse(path, yaml);
  absl::Status read = list.status();
  if (read.ok()) {
    Set(std::make_shared<const AccessList>(*std::move(list)));
  } else if (IsEmpty(yaml)) {
    Set(nullptr);
  }
  return read;
}

// Says so when it begins that nobody may call, not every second.
void AccessFile::Set(std::shared_ptr<const AccessList> list) {
  const std::lock_guard lock(mutex_);
  if (list == nullptr && list_ != nullptr) {
    log::Error("access list gone: nobody may call until it is back");
  }
  list_ = std::move(list);
}

absl::StatusOr<Caller> AccessFile::Find(const Credentials& credentials) const {
  std::shared_ptr<const AccessList> list;
  {
    const std::lock_guard lock(mutex_);
    list = list_;
  }
  if (list == nullptr) {
    return WithFix(
        absl::UnauthenticatedError("nobody may call: the service has no access list now"),
        "tell whoever runs the service");
  }
  return list->Find(credentials, clock_.Now());
}

}  // namespace millrace::security
