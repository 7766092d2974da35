#include "common/storage/reserve.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <stop_token>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/patience/patience.h"
#include "common/status/status.h"
#include "common/storage/posix_error.h"

namespace millrace::storage {

namespace {

// What is left to others beside the reserve, or a folder's own block would end what it began.
constexpr std::int64_t kMarginBytes = std::int64_t{1} << 20;
constexpr std::chrono::seconds kRetakePeriod{5};

// That this process may use; 0 when it cannot be told.
std::int64_t FreeBytes(const std::string& folder) {
  struct statvfs status {};

  return statvfs(folder.c_str(), &status) == 0
             ? static_cast<std::int64_t>(status.f_bavail * status.f_frsize)
             : 0;
}

bool IsAllocated(const std::string& path, std::int64_t bytes) {
  constexpr std::int64_t kBlockBytes = 512;  // of st_blocks, whatever the disk's are

  struct stat status {};

  return lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_size == bytes &&
         status.st_blocks * kBlockBytes >= bytes;
}

bool Allocate(const std::string& path, std::int64_t bytes) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const int file = open(path.c_str(), kFlags, S_IRUSR | S_IWUSR);
  if (file < 0) {
    return false;
  }
  const bool allocated = posix_fallocate(file, 0, bytes) == 0;
  close(file);
  if (!allocated) {
    unlink(path.c_str());
  }
  return allocated;
}

}  // namespace

std::shared_ptr<Reserve> Reserve::Of(const std::string& folder) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<Reserve>> reserves;
  std::error_code error;  // where it cannot be made absolute, no state will be opened there either
  const std::filesystem::path absolute = std::filesystem::absolute(folder, error);
  const std::string path = (absolute.lexically_normal() / "").parent_path().string();
  const std::lock_guard lock(mutex);
  std::erase_if(reserves, [](const auto& entry) { return entry.second.expired(); });
  std::shared_ptr<Reserve> reserve = reserves[path].lock();
  if (reserve == nullptr) {
    reserve = std::make_shared<Reserve>(path);
    reserves[path] = reserve;
  }
  return reserve;
}

void Reserve::GiveForStart() {
  const std::lock_guard lock(mutex_);
  if (FreeBytes(folder_) < kMarginBytes) {
    Give();
  }
}

void Reserve::Keep(std::int64_t bytes, std::function<void(std::int64_t)> on_change) {
  const std::lock_guard lock(mutex_);
  bytes_ = bytes;
  on_change_ = std::move(on_change);
  held_ = bytes > 0 && IsAllocated(Path(), bytes);
  if (held_) {
    Tell(bytes_);
  } else {
    Give();
    Take();  // tells
  }
  if (!held_) {
    Tell(0);
  }
  if (bytes > 0 && !retaking_.joinable()) {
    retaking_ = std::jthread([this](const std::stop_token& stop) {
      while (WaitUnlessStopped(kRetakePeriod, stop)) {
        Retake();
      }
    });
  }
}

void Reserve::Retake() {
  const std::lock_guard lock(mutex_);
  Take();
}

absl::Status Reserve::Spend(absl::FunctionRef<absl::Status()> work) {
  absl::Status first = work();
  if (!absl::IsResourceExhausted(first)) {
    return first;
  }
  {
    const std::lock_guard lock(mutex_);
    ++spending_;
    Give();
  }
  absl::Status second = work();
  const std::lock_guard lock(mutex_);
  --spending_;
  Take();
  return second;
}

absl::Status Reserve::CheckRoom() {
  const std::lock_guard lock(mutex_);
  Take();
  return bytes_ == 0 || held_ || spending_ > 0
             ? absl::OkStatus()
             : WithFix(ResourceExhausted("the service's disk is full"), kDiskFullFix);
}

void Reserve::Take() {
  if (bytes_ == 0 || held_ || spending_ > 0 || FreeBytes(folder_) < bytes_ + kMarginBytes) {
    return;
  }
  held_ = Allocate(Path(), bytes_);
  if (held_) {
    Tell(bytes_);
  }
}

void Reserve::Give() {
  unlink(Path().c_str());
  if (held_) {
    held_ = false;
    Tell(0);
  }
}

void Reserve::Tell(std::int64_t bytes) {
  if (on_change_) {
    on_change_(bytes);
  }
}

}  // namespace millrace::storage
