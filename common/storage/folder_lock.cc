#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "common/storage/posix_error.h"

namespace millrace::storage {

absl::StatusOr<FolderLock> FolderLock::Take(const std::string& folder) {
  const std::string path = folder + "/lock";
  const int descriptor =
      open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) {
    return PosixError("open", path, errno);
  }
  FolderLock lock(descriptor);
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
    return lock;
  }
  if (errno != EWOULDBLOCK) {
    return PosixError("lock", path, errno);
  }
  return WithFix(FailedPrecondition("folder {} is in use by another process", folder),
                 "end that process, or give this one a folder of its own");
}

FolderLock::FolderLock(FolderLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) {
    close(descriptor_);  // the lock goes with it
  }
}

}  // namespace millrace::storage
