#include "common/security/watched_files.h"

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include <absl/cleanup/cleanup.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace millrace::security {

namespace {

constexpr std::chrono::seconds kInterval{1};
constexpr std::size_t kFileBytesMax = std::size_t{1} << 20U;

absl::Status CheckMode(const WatchedFile& file, mode_t mode) {
  if (file.guard == Guard::kOnlyOwner && (mode & (S_IRWXG | S_IRWXO)) != 0) {
    return WithFix(FailedPrecondition("{} is a secret, and its group or everybody may have it: its "
                                      "mode is {:04o}, expected 0600",
                                      file.path,
                                      mode & 07777U),
                   fmt::format("chmod 600 {}", file.path));
  }
  if (file.guard == Guard::kNotWritableByOthers && (mode & S_IWOTH) != 0) {
    return WithFix(
        FailedPrecondition(
            "everybody may change {}: its mode is {:04o}, expected 0600", file.path, mode & 07777U),
        fmt::format("chmod 600 {}", file.path));
  }
  return absl::OkStatus();
}

// NOT_FOUND when there is no such file, another code when it may come back by itself.
absl::StatusOr<std::string> ReadFile(const WatchedFile& file) {
  const int descriptor = open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    const int code = errno;
    const std::string reason = std::generic_category().message(code);
    return code == ENOENT || code == ENOTDIR || code == EACCES
               ? NotFound("cannot read {}: {}", file.path, reason)
               : Unavailable("cannot read {}: {}", file.path, reason);
  }
  const absl::Cleanup closed = [descriptor] { close(descriptor); };

  struct stat status {};

  if (fstat(descriptor, &status) != 0 || S_ISDIR(status.st_mode)) {
    return NotFound("cannot read {}: it must be a file", file.path);
  }
  RETURN_IF_ERROR(CheckMode(file, status.st_mode));
  std::string bytes(kFileBytesMax + 1, '\0');
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = read(descriptor, bytes.data() + size, bytes.size() - size);
    if (got < 0) {
      return Unavailable("cannot read {}: {}", file.path, std::generic_category().message(errno));
    }
    if (got == 0) {
      break;
    }
    size += static_cast<std::size_t>(got);
  }
  bytes.resize(size);
  if (size > kFileBytesMax) {
    return FailedPrecondition("{} must be at most {} bytes", file.path, kFileBytesMax);
  }
  return bytes;
}

absl::StatusOr<std::vector<std::string>> ReadAll(const std::vector<WatchedFile>& files) {
  std::vector<std::string> contents;
  for (const WatchedFile& file : files) {
    ASSIGN_OR_RETURN(std::string bytes, ReadFile(file));
    contents.push_back(std::move(bytes));
  }
  return contents;
}

}  // namespace

WatchedFiles::WatchedFiles(std::string what,
                           std::vector<WatchedFile> files,
                           Take take,
                           std::function<void()> gone)
    : what_(std::move(what)),
      files_(std::move(files)),
      take_(std::move(take)),
      gone_(std::move(gone)) {}

absl::StatusOr<std::unique_ptr<WatchedFiles>> WatchedFiles::Start(std::string what,
                                                                  std::vector<WatchedFile> files,
                                                                  Take take,
                                                                  std::function<void()> gone) {
  std::unique_ptr<WatchedFiles> result(
      new WatchedFiles(std::move(what), std::move(files), std::move(take), std::move(gone)));
  ASSIGN_OR_RETURN(result->offered_, ReadAll(result->files_));
  RETURN_IF_ERROR(result->take_(result->offered_));
  result->thread_ = std::thread([watched = result.get()] { watched->Watch(); });
  return result;
}

WatchedFiles::~WatchedFiles() {
  if (!thread_.joinable()) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

absl::Status WatchedFiles::Look() {
  const std::lock_guard lock(looking_);
  absl::StatusOr<std::vector<std::string>> contents = ReadAll(files_);
  absl::Status status = contents.status();
  if (status.ok()) {
    if (*contents == offered_) {
      return absl::OkStatus();
    }
    offered_ = *std::move(contents);
    status = take_(offered_);
  } else if (absl::IsNotFound(status) && gone_) {
    offered_.clear();
    gone_();
  }
  const std::string failure(Message(status));
  if (status.ok()) {
    log::Info(what_ + " replaced");
  } else if (failure != failure_) {  // once, not every second
    log::Error(what_ + " not replaced", {{"error", failure}});
  }
  failure_ = failure;
  return status;
}

void WatchedFiles::Watch() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kInterval, [this] { return stopping_; })) {
    lock.unlock();
    Look().IgnoreError();  // logged there
    lock.lock();
  }
}

}  // namespace millrace::security
