#include "common/state/state.h"

#include <memory>
#include <utility>

#include "common/audit/audit_log.h"
#include "common/state/blob_uses.h"
#include "common/status/status.h"
#include "common/storage/blob_store.h"
#include "common/storage/database.h"
#include "common/storage/durable_file.h"

namespace millrace::state {

namespace {

using storage::BlobStore;
using storage::Database;
using storage::FileSystem;
using storage::StateFolder;
using storage::TextOf;

std::string CatalogPath(const std::string& folder, const StateLayout& layout) {
  return folder + "/" + layout.catalog;
}

std::string TextOfError(const absl::Status& status) {
  return std::string(Message(status));
}

// Null when the catalog was never made.
absl::StatusOr<std::unique_ptr<Database>> OpenCatalog(const std::string& folder,
                                                      const StateLayout& layout) {
  auto catalog = Database::OpenAsItIs(CatalogPath(folder, layout), layout.catalog_version);
  if (absl::IsNotFound(catalog.status())) {
    return nullptr;
  }
  return catalog;
}

std::string NeededBy(const std::vector<std::string>& names) {
  return names.size() == 1
             ? fmt::format("needed by {}", names.front())
             : fmt::format("needed by {} and {} more", names.front(), names.size() - 1);
}

absl::Status VerifyBlobs(const BlobStore& blobs, const BlobUses& uses, StateReport& report) {
  for (const auto& [sha256, names] : uses) {
    ++report.blobs;
    absl::Status status = blobs.Verify(sha256);
    if (status.ok()) {
      continue;
    }
    if (!absl::IsNotFound(status) && !absl::IsDataLoss(status)) {
      return status;
    }
    report.damage.push_back(absl::IsNotFound(status)
                                ? fmt::format("blob {} is missing, {}", sha256, NeededBy(names))
                                : fmt::format("{}; {}", TextOfError(status), NeededBy(names)));
  }
  return absl::OkStatus();
}

absl::Status VerifyCatalog(FileSystem& files,
                           const std::string& folder,
                           const StateLayout& layout,
                           StateReport& report) {
  const BlobStore blobs = BlobStore::At(files, folder + "/blobs");
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> catalog, OpenCatalog(folder, layout));
  if (catalog == nullptr) {
    const auto stored = blobs.List();
    if (stored.ok() && !stored->empty()) {
      report.damage.push_back(fmt::format("{} is missing, and with it the names of {} blobs",
                                          CatalogPath(folder, layout),
                                          stored->size()));
    }
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(std::vector<std::string> damage, catalog->Damage());
  for (const std::string& finding : damage) {
    report.damage.push_back(fmt::format("{}: {}", CatalogPath(folder, layout), finding));
  }
  ASSIGN_OR_RETURN(const BlobUses uses, UsesIn(*catalog, layout));
  return VerifyBlobs(blobs, uses, report);
}

absl::Status VerifyAudit(FileSystem& files, const std::string& folder, StateReport& report) {
  const auto position = audit::Verify(files, folder);
  if (absl::IsNotFound(position.status())) {  // nothing was ever written down
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(position.status());
  report.changes = position->sequence;
  return absl::OkStatus();
}

// DATA_LOSS becomes a finding: the rest can still be looked at.
absl::Status Note(const absl::Status& status, StateReport& report) {
  if (!absl::IsDataLoss(status)) {
    return status;
  }
  report.damage.push_back(TextOfError(status));
  return absl::OkStatus();
}

absl::StatusOr<StateReport> VerifyLocked(FileSystem& files,
                                         const std::string& folder,
                                         const StateLayout& layout) {
  StateReport report;
  RETURN_IF_ERROR(Note(VerifyCatalog(files, folder, layout, report), report));
  RETURN_IF_ERROR(Note(VerifyAudit(files, folder + "/audit", report), report));
  return report;
}

// Copies files of a folder into another, which is made.
absl::Status CopyFiles(FileSystem& files,
                       const std::string& from,
                       const std::vector<std::string>& names,
                       const std::string& to) {
  RETURN_IF_ERROR(files.MakeFolder(to));
  for (const std::string& name : names) {
    RETURN_IF_ERROR(
        storage::CopyFile(files, fmt::format("{}/{}", from, name), fmt::format("{}/{}", to, name)));
  }
  return files.SyncFolder(to);
}

absl::Status CopyBlobs(FileSystem& files,
                       const std::string& from,
                       const BlobUses& uses,
                       const std::string& to) {
  std::vector<std::string> digests;
  digests.reserve(uses.size());
  for (const auto& [sha256, names] : uses) {
    digests.push_back(sha256);
  }
  return CopyFiles(files, from, digests, to);
}

absl::Status CopyAudit(FileSystem& files, const std::string& from, const std::string& to) {
  const auto names = files.List(from);
  if (absl::IsNotFound(names.status())) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(names.status());
  return CopyFiles(files, from, *names, to);
}

absl::Status CopyContent(FileSystem& files,
                         const std::string& from,
                         const StateLayout& layout,
                         const std::string& to) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> catalog, OpenCatalog(from, layout));
  if (catalog != nullptr) {
    ASSIGN_OR_RETURN(const BlobUses uses, UsesIn(*catalog, layout));
    RETURN_IF_ERROR(CopyBlobs(files, from + "/blobs", uses, to + "/blobs"));
    RETURN_IF_ERROR(catalog->CopyTo(CatalogPath(to, layout)));
  }
  RETURN_IF_ERROR(CopyAudit(files, from + "/audit", to + "/audit"));
  return files.SyncFolder(to);
}

// The first of the findings as an error, or OK.
absl::Status FirstOf(const StateReport& report, const std::string& folder) {
  if (report.damage.empty()) {
    return absl::OkStatus();
  }
  return WithFix(
      DataLoss(
          "the state in {} is damaged: {}{}",
          folder,
          report.damage.front(),
          report.damage.size() == 1 ? "" : fmt::format(" (and {} more)", report.damage.size() - 1)),
      "--verify names all that is damaged; delete it, or restore an earlier backup");
}

}  // namespace

absl::StatusOr<BlobUses> UsesIn(Database& catalog, const StateLayout& layout) {
  BlobUses uses;
  ASSIGN_OR_RETURN(const auto version, catalog.Query("PRAGMA user_version"));
  if (layout.blob_uses.empty() || storage::IntegerOf(version.at(0).at(0)) == 0) {
    return uses;
  }
  ASSIGN_OR_RETURN(const auto rows, catalog.Query(layout.blob_uses));
  for (const storage::DatabaseRow& row : rows) {
    uses[TextOf(row.at(0))].push_back(TextOf(row.at(1)));
  }
  return uses;
}

absl::StatusOr<StateReport> Verify(FileSystem& files,
                                   const std::string& folder,
                                   const StateLayout& layout) {
  const auto state = StateFolder::OpenAsItIs(files, folder, layout.format);
  if (absl::IsDataLoss(state.status())) {
    StateReport report;
    report.damage.push_back(TextOfError(state.status()));
    return report;
  }
  RETURN_IF_ERROR(state.status());
  return VerifyLocked(files, folder, layout);
}

absl::Status Copy(FileSystem& files,
                  const std::string& from,
                  const StateLayout& layout,
                  const std::string& to) {
  ASSIGN_OR_RETURN(const StateFolder source, StateFolder::OpenAsItIs(files, from, layout.format));
  ASSIGN_OR_RETURN(const StateReport before, VerifyLocked(files, from, layout));
  RETURN_IF_ERROR(FirstOf(before, from));
  ASSIGN_OR_RETURN(StateFolder target, StateFolder::OpenToFill(files, to));
  RETURN_IF_ERROR(CopyContent(files, from, layout, to));
  ASSIGN_OR_RETURN(const StateReport after, VerifyLocked(files, to, layout));
  RETURN_IF_ERROR(FirstOf(after, to));
  return target.Finish(files, layout.format);
}

}  // namespace millrace::state
