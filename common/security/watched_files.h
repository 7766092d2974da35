// WatchedFiles: files of an operator, taken over when they change, and only when they are whole.

#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace millrace::security {

/// Reads a few small files (up to 1 MiB each) once a second and offers what they hold whenever it
/// differs from what was offered last. By content and not by time, so that files which are links
/// into a folder that is swapped (Kubernetes) are seen too. Thread-safe.
class WatchedFiles {
 public:
  /// Takes over the contents, in the order of the paths, or refuses them: then what was taken
  /// before stays in use, and the error is logged.
  using Take = std::function<absl::Status(const std::vector<std::string>& contents)>;

  /// Offers the files once; fails when they cannot be read or are refused. Then goes on by itself
  /// until destroyed. `what` names them in the log: "certificate".
  static absl::StatusOr<std::unique_ptr<WatchedFiles>> Start(std::string what,
                                                             std::vector<std::string> paths,
                                                             Take take);
  ~WatchedFiles();
  WatchedFiles(const WatchedFiles&) = delete;
  WatchedFiles& operator=(const WatchedFiles&) = delete;

  /// Looks now. OK when nothing changed or the change was taken.
  absl::Status Look();

 private:
  WatchedFiles(std::string what, std::vector<std::string> paths, Take take);

  void Watch();

  const std::string what_;
  const std::vector<std::string> paths_;
  const Take take_;
  std::mutex looking_;
  std::vector<std::string> offered_;  // guarded by looking_
  std::string failure_;               // what was logged last, guarded by looking_
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace millrace::security
