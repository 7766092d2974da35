// FaultyFileSystem: a disk of which one operation fails on purpose.

#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/status/status.h"
#include "common/storage/file_system.h"

namespace millrace::storage {

/// Passes everything on to the real file system, writes down each operation that changes it, and
/// lets the `failing`-th one fail with UNAVAILABLE "on purpose" (0: none). An append that fails has
/// written half. Thread-safe.
class FaultyFileSystem final : public FileSystem {
 public:
  explicit FaultyFileSystem(int failing = 0) : failing_(failing) {}

  /// What was asked so far: "create", "append", "sync", "close", "rename", "sync folder"...
  [[nodiscard]] std::vector<std::string> operations() const {
    const std::lock_guard lock(mutex_);
    return operations_;
  }

  /// While it is full, an append writes half and is RESOURCE_EXHAUSTED.
  void Fill(bool full) { full_ = full; }

  /// It is full as long as there is a file at `path`.
  void FillWhile(std::string path) { full_while_ = std::move(path); }

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    RETURN_IF_ERROR(Count("create"));
    ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, PosixFileSystem().Create(path));
    return std::make_unique<File>(*this, std::move(file));
  }

  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    return PosixFileSystem().Open(path);
  }

  absl::StatusOr<std::unique_ptr<WritableFile>> OpenToAppend(const std::string& path,
                                                             std::int64_t size) override {
    RETURN_IF_ERROR(Count("open to append"));
    ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                     PosixFileSystem().OpenToAppend(path, size));
    return std::make_unique<File>(*this, std::move(file));
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    RETURN_IF_ERROR(Count("rename"));
    return PosixFileSystem().Rename(from, to);
  }

  absl::Status Remove(const std::string& path) override {
    RETURN_IF_ERROR(Count("remove"));
    return PosixFileSystem().Remove(path);
  }

  absl::Status MakeFolder(const std::string& path) override {
    RETURN_IF_ERROR(Count("make folder"));
    return PosixFileSystem().MakeFolder(path);
  }

  absl::Status RemoveFolder(const std::string& path) override {
    RETURN_IF_ERROR(Count("remove folder"));
    return PosixFileSystem().RemoveFolder(path);
  }

  absl::Status SyncFolder(const std::string& path) override {
    RETURN_IF_ERROR(Count("sync folder"));
    return PosixFileSystem().SyncFolder(path);
  }

  absl::Status SyncFile(const std::string& path) override {
    RETURN_IF_ERROR(Count("sync file"));
    return PosixFileSystem().SyncFile(path);
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) override {
    return PosixFileSystem().List(folder);
  }

 private:
  class File final : public WritableFile {
   public:
    File(FaultyFileSystem& disk, std::unique_ptr<WritableFile> file)
        : disk_(disk),
          file_(std::move(file)) {}

    absl::Status Append(std::string_view bytes) override {
      absl::Status fault = disk_.Count("append");
      if (disk_.IsFull()) {
        fault = ResourceExhausted("the disk is full on purpose");
      }
      if (!fault.ok()) {
        file_->Append(bytes.substr(0, bytes.size() / 2)).IgnoreError();
        return fault;
      }
      return file_->Append(bytes);
    }

    absl::Status Sync() override {
      RETURN_IF_ERROR(disk_.Count("sync"));
      return file_->Sync();
    }

    absl::Status Close() override {
      RETURN_IF_ERROR(disk_.Count("close"));
      return file_->Close();
    }

   private:
    FaultyFileSystem& disk_;
    std::unique_ptr<WritableFile> file_;
  };

  [[nodiscard]] bool IsFull() const {
    return full_ || (!full_while_.empty() && std::filesystem::exists(full_while_));
  }

  absl::Status Count(const std::string& operation) {
    const std::lock_guard lock(mutex_);
    operations_.push_back(operation);
    if (static_cast<int>(operations_.size()) == failing_) {
      return Unavailable("{} failed on purpose", operation);
    }
    return absl::OkStatus();
  }

  const int failing_;
  std::atomic<bool> full_{false};
  std::string full_while_;  // set before anything else is asked
  mutable std::mutex mutex_;
  std::vector<std::string> operations_;  // guarded by mutex_
};

}  // namespace millrace::storage
