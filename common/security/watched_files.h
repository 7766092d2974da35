// WatchedFiles: files of an operator, taken over when they change, and only when they are whole.

#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace millrace::security {

/// Who else may have access to a file for it to be taken. Given by its mode alone.
enum class Guard : std::uint8_t {
  kNone,
  kNotWritableByOthers,  // it decides who may do what
  kOnlyOwner,            // it is a secret: neither group nor others may do anything with it
};

/// One of the files.
struct WatchedFile {
  std::string path;
  Guard guard = Guard::kNone;
};

/// Reads a few small files (up to 1 MiB each) once a second and offers what they hold whenever it
/// differs from what was offered last. By content and not by time, so that files which are links
/// into a folder that is swapped (Kubernetes) are seen too. Thread-safe.
class WatchedFiles {
 public:
  /// Takes over the contents, in the order of the paths, or refuses them: then what was taken
  /// before stays in use, and the error is logged.
  using Take = std::function<absl::Status(const std::vector<std::string>& contents)>;

  /// Offers the files once; fails when they cannot be read or are refused, and with
  /// FAILED_PRECONDITION where the mode of one lets too many have it. Then goes on by itself until
  /// destroyed. `what` names them in the log: "certificate". `gone`, unless empty, is called when
  /// one that was taken is not there any more; what comes back is offered again.
  static absl::StatusOr<std::unique_ptr<WatchedFiles>> Start(std::string what,
                                                             std::vector<WatchedFile> files,
                                                             Take take,
                                                             std::function<void()> gone = {});
  ~WatchedFiles();
  WatchedFiles(const WatchedFiles&) = delete;
  WatchedFiles& operator=(const WatchedFiles&) = delete;

  /// Looks now. OK when nothing changed or the change was taken.
  absl::Status Look();

 private:
  WatchedFiles(std::string what,
               std::vector<WatchedFile> files,
               Take take,
               std::function<void()> gone);

  void Watch();

  const std::string what_;
  const std::vector<WatchedFile> files_;
  const Take take_;
  const std::function<void()> gone_;
  std::mutex looking_;
  std::vector<std::string> offered_;  // guarded by looking_
  std::string failure_;               // what was logged last, guarded by looking_
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace millrace::security
