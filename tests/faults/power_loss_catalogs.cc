#include "tests/faults/power_loss_catalogs.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include <sqlite3.h>

#include "common/status/check.h"

namespace millrace::faults {

namespace {

constexpr int kPathBytesMax = 1'024;
constexpr int kSectorBytes = 4'096;  // as SQLite takes a Linux disk to be

// What the file holds after the change. `torn`: after its first half.
void Apply(const PowerLossCatalogs::Change& change,
           bool torn,
           std::optional<std::string>& content) {
  if (!change.end.has_value()) {
    content.reset();
    return;
  }
  std::string bytes = content.value_or(std::string());
  if (change.bytes.empty()) {
    bytes.resize(*change.end);
  } else {
    const std::size_t begin = *change.end - change.bytes.size();
    const std::size_t size = torn ? change.bytes.size() / 2 : change.bytes.size();
    bytes.resize(std::max(bytes.size(), begin + size));
    bytes.replace(begin, size, change.bytes, 0, size);
  }
  content = std::move(bytes);
}

}  // namespace

// An open file; SQLite keeps the memory.
struct PowerLossCatalogs::Handle : sqlite3_file {
  PowerLossCatalogs* catalogs = nullptr;
  std::string path;           // empty: temporary
  bool syncs_folder = false;  // with the next sync
  File temporary;

  File& file() { return path.empty() ? temporary : catalogs->files_[path]; }
};

// The functions that SQLite calls.
struct PowerLossCatalogs::Calls {
  static Handle& HandleOf(sqlite3_file* file) { return *static_cast<Handle*>(file); }

  static PowerLossCatalogs& CatalogsOf(sqlite3_vfs* vfs) {
    return *static_cast<PowerLossCatalogs*>(vfs->pAppData);
  }

  static int Close(sqlite3_file* file) {
    std::destroy_at(&HandleOf(file));
    return SQLITE_OK;
  }

  static int Read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
    const File& of = HandleOf(file).file();
    const std::string_view content = of.visible.has_value() ? *of.visible : std::string_view();
    const auto wanted = static_cast<std::size_t>(size);
    const std::size_t begin = std::min(static_cast<std::size_t>(offset), content.size());
    const std::size_t count = std::min(wanted, content.size() - begin);
    std::memset(to, 0, wanted);
    std::memcpy(to, content.data() + begin, count);
    return count == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }

  static int Write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
    const auto count = static_cast<std::size_t>(size);
    return Change(file,
                  "write",
                  {.end = static_cast<std::size_t>(offset) + count,
                   .bytes = std::string(static_cast<const char*>(from), count)});
  }

  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    return Change(file, "truncate", {.end = static_cast<std::size_t>(size), .bytes = {}});
  }

  static int Change(sqlite3_file* file, std::string_view what, PowerLossCatalogs::Change change) {
    Handle& handle = HandleOf(file);
    if (!handle.path.empty() && !handle.catalogs->MayChange(what)) {
      return SQLITE_IOERR_WRITE;
    }
    handle.catalogs->Do(std::move(change), handle.file());
    return SQLITE_OK;
  }

  static int Sync(sqlite3_file* file, int /*flags*/) {
    Handle& handle = HandleOf(file);
    if (!handle.path.empty() && !handle.catalogs->MayChange("sync")) {
      return SQLITE_IOERR_FSYNC;
    }
    if (handle.syncs_folder) {
      handle.catalogs->SyncFolder();
      handle.syncs_folder = false;
    }
    handle.file().durable = handle.file().visible;
    handle.file().unsynced.clear();
    return SQLITE_OK;
  }

  static int FileSize(sqlite3_file* file, sqlite3_int64* size) {
    const File& of = HandleOf(file).file();
    *size = of.visible.has_value() ? static_cast<sqlite3_int64>(of.visible->size()) : 0;
    return SQLITE_OK;
  }

  static int Lock(sqlite3_file* /*file*/, int /*level*/) { return SQLITE_OK; }

  static int CheckReservedLock(sqlite3_file* /*file*/, int* reserved) {
    *reserved = 0;
    return SQLITE_OK;
  }

  static int FileControl(sqlite3_file* /*file*/, int /*operation*/, void* /*argument*/) {
    return SQLITE_NOTFOUND;
  }

  static int SectorSize(sqlite3_file* /*file*/) { return kSectorBytes; }

  static int DeviceCharacteristics(sqlite3_file* /*file*/) {
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
  }

  static int Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* to, int flags, int* got) {
    static const sqlite3_io_methods methods = {1,
                                               Close,
                                               Read,
                                               Write,
                                               Truncate,
                                               Sync,
                                               FileSize,
                                               Lock,
                                               Lock,
                                               CheckReservedLock,
                                               FileControl,
                                               SectorSize,
                                               DeviceCharacteristics,
                                               nullptr,
                                               nullptr,
                                               nullptr,
                                               nullptr,
                                               nullptr,
                                               nullptr};
    auto* const handle = std::construct_at(static_cast<Handle*>(to));
    handle->pMethods = &methods;
    handle->catalogs = &CatalogsOf(vfs);
    handle->path = path == nullptr ? "" : path;
    const bool is_main = (static_cast<unsigned>(flags) & SQLITE_OPEN_MAIN_DB) != 0U;
    handle->syncs_folder = !is_main;
    if (!handle->file().visible.has_value()) {
      if (is_main) {
        handle->file().visible.emplace();
        handle->file().durable.emplace();  // its name; see the header
      } else {
        handle->catalogs->Do({.end = 0, .bytes = {}}, handle->file());
      }
    }
    if (got != nullptr) {
      *got = flags;
    }
    return SQLITE_OK;
  }

  static int Delete(sqlite3_vfs* vfs, const char* path, int /*sync_folder*/) {
    PowerLossCatalogs& catalogs = CatalogsOf(vfs);
    File& file = catalogs.files_[path];
    if (!file.visible.has_value()) {
      return SQLITE_IOERR_DELETE_NOENT;
    }
    if (!catalogs.MayChange("delete")) {
      return SQLITE_IOERR_DELETE;
    }
    catalogs.Do({.end = std::nullopt, .bytes = {}}, file);
    return SQLITE_OK;
  }

  static int Access(sqlite3_vfs* vfs, const char* path, int /*flags*/, int* result) {
    const Files& files = CatalogsOf(vfs).files_;
    const auto found = files.find(path);
    *result = found != files.end() && found->second.visible.has_value() ? 1 : 0;
    return SQLITE_OK;
  }

  static int FullPathname(sqlite3_vfs* /*vfs*/, const char* path, int size, char* to) {
    const std::string_view text = path;
    CHECK(text.size() < static_cast<std::size_t>(size));
    std::memcpy(to, text.data(), text.size() + 1);
    return SQLITE_OK;
  }
};

PowerLossCatalogs::PowerLossCatalogs()
    : vfs_(std::make_unique<sqlite3_vfs>(*sqlite3_vfs_find(nullptr))) {
  vfs_->iVersion = 1;  // random numbers, time and sleep stay those of the system
  vfs_->szOsFile = sizeof(Handle);
  vfs_->mxPathname = kPathBytesMax;
  vfs_->pNext = nullptr;
  vfs_->zName = "power_loss";
  vfs_->pAppData = this;
  vfs_->xOpen = Calls::Open;
  vfs_->xDelete = Calls::Delete;
  vfs_->xAccess = Calls::Access;
  vfs_->xFullPathname = Calls::FullPathname;
  CHECK(sqlite3_vfs_register(vfs_.get(), /*makeDflt=*/1) == SQLITE_OK);
}

PowerLossCatalogs::~PowerLossCatalogs() {
  sqlite3_vfs_unregister(vfs_.get());
}

bool PowerLossCatalogs::MayChange(std::string_view change) const {
  return !before_ || before_(change).ok();
}

void PowerLossCatalogs::Do(Change change, File& file) {
  Apply(change, /*torn=*/false, file.visible);
  file.unsynced.push_back(std::move(change));
}

void PowerLossCatalogs::SyncFolder() {
  for (auto& [path, file] : files_) {
    if (!file.visible.has_value()) {
      file.durable.reset();
      file.unsynced.clear();
    }
  }
}

void PowerLossCatalogs::Lose(CatalogLoss loss, Files& files) {
  for (auto& [path, file] : files) {
    const std::size_t count = file.unsynced.size();
    for (std::size_t i = 0; i < count; ++i) {
      const bool kept = loss == CatalogLoss::kAll ||
                        (loss == CatalogLoss::kLast && i + 1 == count) ||
                        (loss == CatalogLoss::kHalf && i <= count / 2);
      const bool torn = loss == CatalogLoss::kHalf && i == count / 2;
      if (kept) {
        Apply(file.unsynced[i], torn, file.durable);
      }
    }
    file.unsynced.clear();
    file.visible = file.durable;
  }
}

bool PowerLossCatalogs::HasUnsynced(const Files& files) {
  return std::any_of(
      files.begin(), files.end(), [](const auto& entry) { return !entry.second.unsynced.empty(); });
}

}  // namespace millrace::faults
