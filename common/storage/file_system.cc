#include "common/storage/file_system.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/status/check.h"
#include "common/status/status.h"
#include "common/storage/durable_file.h"
#include "common/storage/posix_error.h"

namespace millrace::storage {

namespace {

constexpr mode_t kFileMode = 0600;  // data of people: for the service's user alone
constexpr mode_t kFolderMode = 0700;

// Calls `call` until no signal interrupts it.
template <typename Call>
auto Retry(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(int descriptor, std::string path)
      : descriptor_(descriptor),
        path_(std::move(path)) {}

  ~PosixWritableFile() override {
    if (descriptor_ >= 0) {
      close(descriptor_);
    }
  }

  PosixWritableFile(const PosixWritableFile&) = delete;
  PosixWritableFile& operator=(const PosixWritableFile&) = delete;

  absl::Status Append(std::string_view bytes) override {
    while (error_.ok() && !bytes.empty()) {
      const auto written = Retry([&] { return write(descriptor_, bytes.data(), bytes.size()); });
      if (written < 0) {
        error_ = PosixError("write", path_, errno);
      } else {
        bytes.remove_prefix(static_cast<std::size_t>(written));
      }
    }
    return error_;
  }

  // After a failed fsync the kernel may call the lost pages clean, so that a second one would
  // succeed: hence every error stays.
  absl::Status Sync() override {
    if (error_.ok() && Retry([&] { return fsync(descriptor_); }) != 0) {
      error_ = PosixError("sync", path_, errno);
    }
    return error_;
  }

  absl::Status Close() override {
    if (descriptor_ < 0) {
      return error_;
    }
    // Never again after EINTR: on Linux the descriptor is gone, and may be another file's already.
    const bool failed = close(std::exchange(descriptor_, -1)) != 0;
    if (failed && error_.ok()) {
      error_ = PosixError("close", path_, errno);
    }
    return error_;
  }

 private:
  int descriptor_;
  std::string path_;
  absl::Status error_;
};

class PosixReadableFile final : public ReadableFile {
 public:
  PosixReadableFile(int descriptor, std::int64_t size, std::string path)
      : descriptor_(descriptor),
        size_(size),
        path_(std::move(path)) {}

  ~PosixReadableFile() override { close(descriptor_); }

  PosixReadableFile(const PosixReadableFile&) = delete;
  PosixReadableFile& operator=(const PosixReadableFile&) = delete;

  absl::StatusOr<std::string> Read(std::int64_t offset, std::int64_t size) const override {
    CHECK(offset >= 0 && size >= 0);
    const std::int64_t left = std::max<std::int64_t>(size_ - offset, 0);
    std::string bytes(static_cast<std::size_t>(std::min(size, left)), '\0');
    std::size_t done = 0;
    while (done < bytes.size()) {
      const auto at = offset + static_cast<std::int64_t>(done);
      const auto count =
          Retry([&] { return pread(descriptor_, bytes.data() + done, bytes.size() - done, at); });
      if (count < 0) {
        return PosixError("read", path_, errno);
      }
      if (count == 0) {  // the file shrank since it was opened
        break;
      }
      done += static_cast<std::size_t>(count);
    }
    bytes.resize(done);
    return bytes;
  }

  [[nodiscard]] std::int64_t size() const override { return size_; }

 private:
  int descriptor_;
  std::int64_t size_;
  std::string path_;
};

bool IsFolder(const std::string& path) {
  struct stat status {};

  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool IsFile(const std::string& path) {
  struct stat status {};

  return lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

class RealFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const int descriptor = Retry([&] { return open(path.c_str(), kFlags, kFileMode); });
    if (descriptor < 0) {
      return PosixError("create", path, errno);
    }
    return std::make_unique<PosixWritableFile>(descriptor, path);
  }

  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    // Without O_NONBLOCK the opening of a pipe would wait for its writer.
    constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    const int descriptor = Retry([&] { return open(path.c_str(), kFlags); });
    if (descriptor < 0) {
      return PosixError("open", path, errno);
    }

    struct stat status {};

    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
      close(descriptor);
      return Unavailable("cannot open {}: not a regular file", path);
    }
    return std::make_unique<PosixReadableFile>(descriptor, status.st_size, path);
  }

  absl::StatusOr<std::unique_ptr<WritableFile>> OpenToAppend(const std::string& path,
                                                             std::int64_t size) override {
    constexpr int kFlags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    const int descriptor = Retry([&] { return open(path.c_str(), kFlags); });
    if (descriptor < 0) {
      return PosixError("open", path, errno);
    }
    auto file = std::make_unique<PosixWritableFile>(descriptor, path);  // closes it

    struct stat status {};

    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
      return Unavailable("cannot open {}: not a regular file", path);
    }
    if (status.st_size < size) {
      return DataLoss("{} has {} bytes, expected at least {}", path, status.st_size, size);
    }
    if (Retry([&] { return ftruncate(descriptor, size); }) != 0) {
      return PosixError("cut", path, errno);
    }
    return file;
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) != 0) {
      return PosixError("rename", from, errno);
    }
    return absl::OkStatus();
  }

  absl::Status Remove(const std::string& path) override {
    if (unlink(path.c_str()) != 0) {
      return PosixError("remove", path, errno);
    }
    return absl::OkStatus();
  }

  absl::Status MakeFolder(const std::string& path) override {
    if (IsFolder(path)) {
      return absl::OkStatus();
    }
    const std::string parent = ParentOf(path);
    if (parent != path) {
      RETURN_IF_ERROR(MakeFolder(parent));
    }
    if (mkdir(path.c_str(), kFolderMode) != 0 && !(errno == EEXIST && IsFolder(path))) {
      return PosixError("make folder", path, errno);
    }
    return SyncFolder(parent);
  }

  absl::Status RemoveFolder(const std::string& path) override {
    if (rmdir(path.c_str()) != 0) {
      return PosixError("remove folder", path, errno);
    }
    return absl::OkStatus();
  }

  absl::Status SyncFolder(const std::string& path) override {
    return Sync(path, O_DIRECTORY, "folder");
  }

  // fsync writes what is in the cache for the file, through whichever descriptor it came there.
  absl::Status SyncFile(const std::string& path) override {
    return Sync(path, O_NOFOLLOW | O_NONBLOCK, "file");
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(opendir(folder.c_str()), closedir);
    if (stream == nullptr) {
      return PosixError("list", folder, errno);
    }
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* const entry = readdir(stream.get())) {
      if (IsFile(folder + "/" + entry->d_name)) {
        names.emplace_back(entry->d_name);
      }
      errno = 0;
    }
    if (errno != 0) {
      return PosixError("list", folder, errno);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  static absl::Status Sync(const std::string& path, int flags, std::string_view what) {
    const int descriptor = Retry([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC | flags); });
    if (descriptor < 0) {
      return PosixError(fmt::format("open {}", what), path, errno);
    }
    const bool failed = Retry([&] { return fsync(descriptor); }) != 0;
    const int code = errno;
    close(descriptor);
    return failed ? PosixError(fmt::format("sync {}", what), path, code) : absl::OkStatus();
  }
};

}  // namespace

FileSystem& PosixFileSystem() {
  static RealFileSystem files;
  return files;
}

}  // namespace millrace::storage
