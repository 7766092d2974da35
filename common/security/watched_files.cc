#include "common/security/watched_files.h"

#include <chrono>
#include <fstream>
#include <utility>

#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace millrace::security {

namespace {

constexpr std::chrono::seconds kInterval{1};
constexpr std::size_t kFileBytesMax = std::size_t{1} << 20U;

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string bytes(kFileBytesMax + 1, '\0');
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!stream.eof() && stream.fail()) {
    return NotFound("cannot read {}", path);
  }
  bytes.resize(static_cast<std::size_t>(stream.gcount()));
  if (bytes.size() > kFileBytesMax) {
    return FailedPrecondition("{} must be at most {} bytes", path, kFileBytesMax);
  }
  return bytes;
}

absl::StatusOr<std::vector<std::string>> ReadAll(const std::vector<std::string>& paths) {
  std::vector<std::string> contents;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
    contents.push_back(std::move(bytes));
  }
  return contents;
}

}  // namespace

WatchedFiles::WatchedFiles(std::string what, std::vector<std::string> paths, Take take)
    : what_(std::move(what)),
      paths_(std::move(paths)),
      take_(std::move(take)) {}

absl::StatusOr<std::unique_ptr<WatchedFiles>> WatchedFiles::Start(std::string what,
                                                                  std::vector<std::string> paths,
                                                                  Take take) {
  std::unique_ptr<WatchedFiles> files(
      new WatchedFiles(std::move(what), std::move(paths), std::move(take)));
  ASSIGN_OR_RETURN(files->offered_, ReadAll(files->paths_));
  RETURN_IF_ERROR(files->take_(files->offered_));
  files->thread_ = std::thread([watched = files.get()] { watched->Watch(); });
  return files;
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
  absl::StatusOr<std::vector<std::string>> contents = ReadAll(paths_);
  absl::Status status = contents.status();
  if (status.ok()) {
    if (*contents == offered_) {
      return absl::OkStatus();
    }
    offered_ = *std::move(contents);
    status = take_(offered_);
  }
  const std::string failure(Message(status));
  if (status.ok()) {
    log::Info(what_ + " replaced");
  } else if (failure != failure_) {  // once, not every second
    log::Error(what_ + " not replaced, the old one stays in use", {{"error", failure}});
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
