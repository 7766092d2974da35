#include "tests/faults/power_loss_disk.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>

#include "common/status/check.h"
#include "common/status/status.h"
#include "common/storage/durable_file.h"

namespace millrace::faults {

using storage::ParentOf;

class PowerLossDisk::Writer final : public storage::WritableFile {
 public:
  Writer(PowerLossDisk& disk, std::shared_ptr<File> file) : disk_(disk), file_(std::move(file)) {}

  absl::Status Append(std::string_view bytes) override {
    RETURN_IF_ERROR(disk_.Count("append"));
    file_->bytes += bytes;
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    RETURN_IF_ERROR(disk_.Count("sync"));
    file_->synced = file_->bytes.size();
    return absl::OkStatus();
  }

  absl::Status Close() override { return disk_.Count("close"); }

 private:
  PowerLossDisk& disk_;
  std::shared_ptr<File> file_;
};

class PowerLossDisk::Reader final : public storage::ReadableFile {
 public:
  explicit Reader(std::shared_ptr<File> file) : file_(std::move(file)) {}

  absl::StatusOr<std::string> Read(std::int64_t offset, std::int64_t size) const override {
    CHECK(offset >= 0 && size >= 0);
    const auto begin = static_cast<std::size_t>(offset);
    return begin >= file_->bytes.size()
               ? std::string()
               : file_->bytes.substr(begin, static_cast<std::size_t>(size));
  }

  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(file_->bytes.size());
  }

 private:
  std::shared_ptr<File> file_;
};

PowerLossDisk::PowerLossDisk(const std::string& root) {
  visible_.folders.insert(root);
  durable_.folders.insert(root);
}

std::unique_ptr<PowerLossDisk> PowerLossDisk::Clone() const {
  auto clone = std::make_unique<PowerLossDisk>(*this);
  clone->left_ = 0;
  clone->cut_ = false;
  clone->on_cut_ = nullptr;
  // A file that has several names, or a name and a durable one, is one file in the clone too.
  std::map<std::shared_ptr<File>, std::shared_ptr<File>> copies;
  const auto copy = [&](std::shared_ptr<File>& file) {
    if (file != nullptr) {
      auto [entry, added] = copies.try_emplace(file);
      if (added) {
        entry->second = std::make_shared<File>(*file);
      }
      file = entry->second;
    }
  };
  for (Names* const names : {&clone->visible_, &clone->durable_}) {
    for (auto& [path, file] : names->files) {
      copy(file);
    }
  }
  for (Change& change : clone->pending_) {
    for (auto& [path, file] : change.files) {
      copy(file);
    }
  }
  return clone;
}

void PowerLossDisk::CutAt(int operation, std::function<void()> on_cut) {
  CHECK(operation > 0);
  left_ = operation;
  on_cut_ = std::move(on_cut);
}

absl::Status PowerLossDisk::Count(std::string_view operation) {
  if (left_ > 0 && --left_ == 0) {
    cut_ = true;
    on_cut_();
  }
  return cut_ ? Unavailable("{}: the power is out", operation) : absl::OkStatus();
}

bool PowerLossDisk::has_unsynced_bytes() const {
  return std::any_of(visible_.files.begin(), visible_.files.end(), [](const auto& entry) {
    return entry.second->synced < entry.second->bytes.size();
  });
}

void PowerLossDisk::Apply(const Change& change, Names& names) {
  for (const auto& [path, file] : change.files) {
    if (file == nullptr) {
      names.files.erase(path);
    } else {
      names.files[path] = file;
    }
  }
  if (!change.made.empty()) {
    names.folders.insert(change.made);
  }
  names.folders.erase(change.removed);
}

void PowerLossDisk::Do(Change change) {
  Apply(change, visible_);
  pending_.push_back(std::move(change));
}

void PowerLossDisk::Lose(const Loss& loss) {
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (i < loss.changes.size() && loss.changes[i]) {
      Apply(pending_[i], durable_);
    }
  }
  pending_.clear();
  for (auto entry = durable_.files.begin(); entry != durable_.files.end();) {
    File& file = *entry->second;
    const std::size_t unsynced = file.bytes.size() - file.synced;
    if (loss.bytes == Loss::Bytes::kNone) {
      file.bytes.resize(file.synced);
    } else if (loss.bytes == Loss::Bytes::kHalf) {
      file.bytes.resize(file.synced + unsynced / 2);
    }
    file.synced = file.bytes.size();
    const bool reachable = durable_.folders.contains(ParentOf(entry->first));
    entry = reachable ? std::next(entry) : durable_.files.erase(entry);
  }
  visible_ = durable_;
  cut_ = false;
}

absl::StatusOr<std::unique_ptr<storage::WritableFile>> PowerLossDisk::Create(
    const std::string& path) {
  RETURN_IF_ERROR(Count("create"));
  if (!visible_.folders.contains(ParentOf(path))) {
    return NotFound("cannot create {}: there is no such folder", path);
  }
  if (visible_.files.contains(path)) {
    return AlreadyExists("cannot create {}: it exists", path);
  }
  auto file = std::make_shared<File>();
  Do({.folder = ParentOf(path), .files = {{path, file}}, .made = {}, .removed = {}});
  return std::make_unique<Writer>(*this, std::move(file));
}

absl::StatusOr<std::unique_ptr<storage::ReadableFile>> PowerLossDisk::Open(
    const std::string& path) {
  const auto found = visible_.files.find(path);
  if (found == visible_.files.end()) {
    return NotFound("cannot open {}: there is no such file", path);
  }
  return std::make_unique<Reader>(found->second);
}

absl::StatusOr<std::unique_ptr<storage::WritableFile>> PowerLossDisk::OpenToAppend(
    const std::string& path,
    std::int64_t size) {
  RETURN_IF_ERROR(Count("cut off"));
  const auto found = visible_.files.find(path);
  if (found == visible_.files.end()) {
    return NotFound("cannot go on with {}: there is no such file", path);
  }
  File& file = *found->second;
  const auto kept = static_cast<std::size_t>(size);
  if (file.bytes.size() < kept) {
    return DataLoss("cannot go on with {}: it has fewer than {} bytes", path, size);
  }
  file.bytes.resize(kept);
  file.synced = std::min(file.synced, kept);
  return std::make_unique<Writer>(*this, found->second);
}

absl::Status PowerLossDisk::Rename(const std::string& from, const std::string& to) {
  RETURN_IF_ERROR(Count("rename"));
  const auto found = visible_.files.find(from);
  if (found == visible_.files.end()) {
    return NotFound("cannot rename {}: there is no such file", from);
  }
  CHECK(ParentOf(from) == ParentOf(to));  // nothing here renames across folders
  Do({.folder = ParentOf(to),
      .files = {{to, found->second}, {from, nullptr}},
      .made = {},
      .removed = {}});
  return absl::OkStatus();
}

absl::Status PowerLossDisk::Remove(const std::string& path) {
  RETURN_IF_ERROR(Count("remove"));
  if (!visible_.files.contains(path)) {
    return NotFound("cannot remove {}: there is no such file", path);
  }
  Do({.folder = ParentOf(path), .files = {{path, nullptr}}, .made = {}, .removed = {}});
  return absl::OkStatus();
}

absl::Status PowerLossDisk::MakeFolder(const std::string& path) {
  if (visible_.folders.contains(path)) {
    return absl::OkStatus();
  }
  CHECK(ParentOf(path) != path);  // the root is there
  RETURN_IF_ERROR(MakeFolder(ParentOf(path)));
  RETURN_IF_ERROR(Count("make folder"));
  std::filesystem::create_directories(path);
  Do({.folder = ParentOf(path), .files = {}, .made = path, .removed = {}});
  return SyncFolder(ParentOf(path));
}

absl::Status PowerLossDisk::RemoveFolder(const std::string& path) {
  RETURN_IF_ERROR(Count("remove folder"));
  if (!visible_.folders.contains(path)) {
    return NotFound("cannot remove {}: there is no such folder", path);
  }
  Do({.folder = ParentOf(path), .files = {}, .made = {}, .removed = path});
  return absl::OkStatus();
}

absl::Status PowerLossDisk::SyncFolder(const std::string& path) {
  RETURN_IF_ERROR(Count("sync folder"));
  if (!visible_.folders.contains(path)) {
    return NotFound("cannot sync {}: there is no such folder", path);
  }
  for (auto change = pending_.begin(); change != pending_.end();) {
    if (change->folder == path) {
      Apply(*change, durable_);
      change = pending_.erase(change);
    } else {
      ++change;
    }
  }
  return absl::OkStatus();
}

absl::Status PowerLossDisk::SyncFile(const std::string& path) {
  RETURN_IF_ERROR(Count("sync file"));
  const auto found = visible_.files.find(path);
  if (found == visible_.files.end()) {
    return NotFound("cannot sync {}: there is no such file", path);
  }
  found->second->synced = found->second->bytes.size();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> PowerLossDisk::List(const std::string& folder) {
  if (!visible_.folders.contains(folder)) {
    return NotFound("cannot list {}: there is no such folder", folder);
  }
  std::vector<std::string> names;
  for (const auto& [path, file] : visible_.files) {
    if (ParentOf(path) == folder) {
      names.push_back(path.substr(folder.size() + 1));
    }
  }
  return names;
}

}  // namespace millrace::faults
