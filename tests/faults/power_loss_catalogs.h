// PowerLossCatalogs: where SQLite keeps its files, in memory, to be forgotten where not synced.

#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

struct sqlite3_vfs;

namespace millrace::faults {

/// What a power cut does to the changes of a catalog's file that no sync covers: none of them
/// happened, the earlier half with the next one torn in its middle, the last alone (a disk may
/// write in any order), or all.
enum class CatalogLoss { kNone, kHalf, kLast, kAll };

/// SQLite's VFS for the whole process while it lives. It keeps what SQLite's own does on Linux, and
/// no more: a file's sync makes its bytes durable; the first sync of a journal that was opened
/// syncs the folder too, which makes its name durable, and every removal. The main file's name is
/// taken as durable once it is made. Not thread-safe; locks are not kept, StateFolder's are.
class PowerLossCatalogs {
 public:
  /// A write, a truncation (no bytes, `end` is the new size) or a removal (no `end`).
  struct Change {
    std::optional<std::size_t> end;  // of the file's part that is written
    std::string bytes;
  };

  struct File {
    std::optional<std::string> visible;  // none: there is no such file
    std::optional<std::string> durable;
    std::vector<Change> unsynced;  // turn `durable` into `visible`
  };

  using Files = std::map<std::string, File>;  // by path

  PowerLossCatalogs();
  ~PowerLossCatalogs();
  PowerLossCatalogs(const PowerLossCatalogs&) = delete;
  PowerLossCatalogs& operator=(const PowerLossCatalogs&) = delete;

  /// Asks `before` for every change and every sync; SQLite is told that it failed unless it is OK.
  void AskBefore(std::function<absl::Status(std::string_view change)> before) {
    before_ = std::move(before);
  }

  /// All that there is. Only while no database is open may it be replaced.
  [[nodiscard]] Files& files() { return files_; }

  /// Forgets as the power comes back; what is left is durable.
  static void Lose(CatalogLoss loss, Files& files);

  /// Whether there is a change that no sync covers.
  static bool HasUnsynced(const Files& files);

 private:
  struct Handle;
  struct Calls;

  bool MayChange(std::string_view change) const;
  void Do(Change change, File& file);
  void SyncFolder();

  std::unique_ptr<sqlite3_vfs> vfs_;
  std::function<absl::Status(std::string_view)> before_;
  Files files_;
};

}  // namespace millrace::faults
