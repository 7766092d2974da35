// PowerLossDisk: a FileSystem in memory that forgets at a power cut what was not synced.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/storage/file_system.h"

namespace millrace::faults {

/// What a power cut does to what was not synced. Bytes: none, the first half or all of what was
/// appended to each file since its last sync. Names: of the changes of folders that no sync covers
/// (a new file, a rename, a removal, a new folder), in the order in which they were made, those
/// whose bit is set in `changes` have happened. A disk may do any of this.
struct Loss {
  enum class Bytes { kNone, kHalf, kAll };
  Bytes bytes = Bytes::kNone;
  std::vector<bool> changes;
};

/// Strict: a file's sync makes its bytes durable and not its name; a folder's sync makes its names
/// durable and not what is in the files. MakeFolder() syncs, as its contract says. Folders are made
/// on the real disk too, for the locks and catalogs that lie beside. Not thread-safe.
class PowerLossDisk final : public storage::FileSystem {
 public:
  /// `root` is a folder that is there and durable.
  explicit PowerLossDisk(const std::string& root);

  /// A disk of its own with the same content and the same memory of what is synced.
  [[nodiscard]] std::unique_ptr<PowerLossDisk> Clone() const;

  /// Lets the power go out at the `operation`-th change from now, counted from 1, before it
  /// happens: calls `on_cut`, and this and every later operation fails with UNAVAILABLE.
  void CutAt(int operation, std::function<void()> on_cut);

  [[nodiscard]] bool is_cut() const { return cut_; }

  /// Counts a change that happens elsewhere on the same machine: UNAVAILABLE from the cut on.
  absl::Status Count(std::string_view operation);

  /// Changes of folders that no sync covers.
  [[nodiscard]] std::size_t pending_changes() const { return pending_.size(); }

  /// Whether a file has bytes that no sync covers.
  [[nodiscard]] bool has_unsynced_bytes() const;

  /// Forgets as the power comes back; what is left is durable. Changes without a bit are lost.
  void Lose(const Loss& loss);

  absl::StatusOr<std::unique_ptr<storage::WritableFile>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<storage::ReadableFile>> Open(const std::string& path) override;
  /// What is cut off does not come back.
  absl::StatusOr<std::unique_ptr<storage::WritableFile>> OpenToAppend(const std::string& path,
                                                                      std::int64_t size) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status MakeFolder(const std::string& path) override;
  absl::Status RemoveFolder(const std::string& path) override;
  absl::Status SyncFolder(const std::string& path) override;
  absl::Status SyncFile(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) override;

 private:
  class Writer;
  class Reader;

  struct File {
    std::string bytes;
    std::size_t synced = 0;  // of them
  };

  struct Names {
    std::map<std::string, std::shared_ptr<File>> files;  // by path
    std::set<std::string> folders;
  };

  // One change of a folder's names, which happens whole.
  struct Change {
    std::string folder;
    std::vector<std::pair<std::string, std::shared_ptr<File>>> files;  // null: removed
    std::string made;                                                  // a folder, or empty
    std::string removed;                                               // a folder, or empty
  };

  static void Apply(const Change& change, Names& names);
  void Do(Change change);

  Names visible_;
  Names durable_;
  std::vector<Change> pending_;  // visible and not durable
  int left_ = 0;                 // operations until the cut; 0: none is planned
  bool cut_ = false;
  std::function<void()> on_cut_;
};

}  // namespace millrace::faults
