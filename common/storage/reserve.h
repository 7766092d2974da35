// Reserve: room that a state folder keeps for what has to work on a full disk.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

namespace millrace::storage {

/// The file `{folder}/reserve`, whose blocks are allocated. Deleting needs some room first (a
/// database writes before it forgets), and so does starting: they get that of the file, which is
/// made again as soon as the disk has more than it needs. Thread-safe.
class Reserve {
 public:
  /// The one of `folder` in this process, by whatever path: all that work in a folder share it.
  static std::shared_ptr<Reserve> Of(const std::string& folder);

  explicit Reserve(std::string folder) : folder_(std::move(folder)) {}

  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;

  /// Gives the room away when the disk is full, until Keep(): a service that starts.
  void GiveForStart();

  /// Holds `bytes` from now on (0: none) whenever there is room, and tells `on_change` how many it
  /// holds, now and when that changes. A full disk is no error.
  void Keep(std::int64_t bytes, std::function<void(std::int64_t)> on_change = {});

  /// Takes the room back if there is any. A thread of Keep() asks every few seconds.
  void Retake();

  /// What `work` returns. When that is RESOURCE_EXHAUSTED, it gets the room and is called again:
  /// only for what makes room in the end, and may be called twice.
  absl::Status Spend(absl::FunctionRef<absl::Status()> work);

  /// RESOURCE_EXHAUSTED while the room is given away and the disk has no other: nothing that grows
  /// begins then.
  absl::Status CheckRoom();

 private:
  // Those below are called with mutex_ held.
  void Take();
  void Give();
  void Tell(std::int64_t bytes);

  [[nodiscard]] std::string Path() const { return folder_ + "/reserve"; }

  const std::string folder_;
  std::mutex mutex_;
  // All guarded by mutex_.
  std::int64_t bytes_ = 0;
  bool held_ = false;
  int spending_ = 0;
  std::function<void(std::int64_t)> on_change_;
  std::jthread retaking_;  // last: it uses all of the above
};

}  // namespace millrace::storage
