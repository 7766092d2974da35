#include "common/security/tls_files.h"

#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/security/certificate.h"
#include "common/status/status.h"

namespace millrace::security {

namespace {

absl::Status MemoryError(int code) {
  return ResourceExhausted("cannot keep a certificate in memory: {}",
                           std::generic_category().message(code));
}

bool WriteAll(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const auto written = write(descriptor, text.data(), text.size());
    if (written <= 0) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// A file in memory under a path that stays while its content is replaced.
class Slot {
 public:
  // Replaces the content in one step: a reader that opens the path gets the old file or the new
  // one. The time of each content differs from that of every other by a second or more, because
  // gRPC compares times of that grain to notice a change between its two reads.
  absl::Status Put(std::string_view text) {
    const int descriptor = memfd_create("tls", MFD_CLOEXEC);
    if (descriptor < 0) {
      return MemoryError(errno);
    }
    ++version_;
    const timespec times[2] = {{.tv_sec = version_, .tv_nsec = 0},
                               {.tv_sec = version_, .tv_nsec = 0}};
    if (!WriteAll(descriptor, text) || futimens(descriptor, times) != 0) {
      const int code = errno;
      close(descriptor);
      return MemoryError(code);
    }
    if (descriptor_ < 0) {
      descriptor_ = descriptor;
      return absl::OkStatus();
    }
    const bool failed = dup3(descriptor, descriptor_, O_CLOEXEC) < 0;
    const int code = errno;
    close(descriptor);
    return failed ? MemoryError(code) : absl::OkStatus();
  }

  [[nodiscard]] std::string path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

 private:
  int descriptor_ = -1;  // never closed: see the header
  std::time_t version_ = 0;
};

// What stands behind the two paths.
struct Slots {
  Slot identity;
  Slot authority;
};

absl::Status Take(const v1::Tls& files,
                  const std::vector<std::string>& contents,
                  const Clock& clock,
                  Slots& slots) {
  const auto now = clock.Now();
  const bool identity = !files.certificate().empty();
  // All are checked before one is taken.
  if (identity) {
    const absl::Status status = CheckIdentity(contents[0], contents[1], now);
    if (!status.ok()) {
      return Annotate(status, fmt::format("{} with {}", files.certificate(), files.key()));
    }
  }
  if (!files.authority().empty()) {
    const absl::Status status = CheckAuthority(contents.back(), now);
    if (!status.ok()) {
      return Annotate(status, files.authority());
    }
    RETURN_IF_ERROR(slots.authority.Put(contents.back()));
  }
  return identity ? slots.identity.Put(contents[0] + "\n" + contents[1]) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsFiles>> TlsFiles::Open(const v1::Tls& files, const Clock& clock) {
  if (files.certificate().empty() != files.key().empty()) {
    return WithFix(InvalidArgument("of tls.certificate and tls.key only one is given: '{}'",
                                   files.certificate() + files.key()),
                   "give both");
  }
  std::vector<WatchedFile> watched;
  if (!files.certificate().empty()) {
    watched = {{.path = files.certificate()}, {.path = files.key(), .guard = Guard::kOnlyOwner}};
  }
  if (!files.authority().empty()) {
    watched.push_back({.path = files.authority()});
  }
  auto slots = std::make_shared<Slots>();
  auto result = std::unique_ptr<TlsFiles>(new TlsFiles);
  ASSIGN_OR_RETURN(
      result->watched_,
      WatchedFiles::Start("certificate", watched, [files, &clock, slots](const auto& contents) {
        return Take(files, contents, clock, *slots);
      }));
  if (!files.certificate().empty()) {
    result->identity_path_ = slots->identity.path();
  }
  if (!files.authority().empty()) {
    result->authority_path_ = slots->authority.path();
  }
  return result;
}

}  // namespace millrace::security
