#include "services/data/rpc/import_call.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "common/resource/name.h"
#include "common/rpc/access.h"
#include "common/rpc/caught.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/status/unprintable.h"
#include "common/telemetry/log.h"

namespace millrace::data {

namespace {

// Part of a version's identity: raise it when any step makes something else of the same bytes and
// options, so that an import does not return what an older program made.
constexpr std::int32_t kPipelineVersion = 2;

constexpr std::size_t kFileNameBytesMax = 255;

absl::Status CheckFileName(const std::string& name) {
  if (name.empty() || name.size() > kFileNameBytesMax || name == "." || name == ".." ||
      name.find('/') != std::string::npos || HasUnprintable(name)) {
    return InvalidArgument(
        "header.file_name must be a path's last part, not '.' or '..', 1 to {} bytes without"
        " control characters and marks of direction, found {} bytes",
        kFileNameBytesMax,
        name.size());
  }
  return absl::OkStatus();
}

NewVersion VersionOf(ImportResult result, const model::v1::Source& source, int threads) {
  NewVersion version;
  version.pipeline_version = kPipelineVersion;
  version.rows = std::move(result.rows);
  version.marks = std::move(result.marks);
  version.threads = threads;
  *version.description.add_sources() = source;
  *version.description.mutable_options() = std::move(result.options);
  *version.description.mutable_schema() = std::move(result.schema);
  *version.description.mutable_transforms() = std::move(result.transforms);
  for (v1::CleaningEffect& effect : result.effects) {
    *version.description.add_effects() = std::move(effect);
  }
  version.statistics = std::move(result.statistics);
  return version;
}

// A version whose description no answer can carry would be there and could not be described,
// trained on or listed.
absl::Status CheckAnswer(const NewVersion& version, std::size_t bytes_max) {
  constexpr std::size_t kNames = 1'024;  // what the store adds: name, digest, time, counts
  const std::size_t bytes =
      std::max(version.description.ByteSizeLong(), version.statistics.ByteSizeLong()) + kNames;
  return bytes <= bytes_max
             ? absl::OkStatus()
             : WithFix(InvalidArgument("what is to be told of the version takes {} bytes, and an "
                                       "answer has at most {} (server.message_bytes_max)",
                                       bytes,
                                       bytes_max),
                       "drop columns, or categories of columns that have many");
}

int ThreadsOf(const ImportParts& parts) {
  constexpr unsigned kThreadsMax = 8;
  return parts.threads > 0
             ? parts.threads
             : static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, kThreadsMax));
}

}  // namespace

ImportCall::ImportCall(const ImportParts& parts,
                       QuietTimer::Busy busy,
                       const grpc::CallbackServerContext& context,
                       v1::DatasetVersion& response)
    : busy_(std::move(busy)),
      parts_(parts),
      context_(context),
      response_(response),
      stream_(parts.idle,
              [this](const absl::Status& idle) { OnDisk([this, idle] { End(idle); }); }) {
  Read();
}

void ImportCall::Read() {
  stream_.Waits();
  StartRead(&message_);  // last: the next message may be here before this returns
}

void ImportCall::OnDisk(std::function<void()> step) {
  const absl::Status submitted = parts_.disk.Submit(std::move(step));
  if (!submitted.ok()) {
    End(submitted);
  }
}

void ImportCall::OnReadDone(bool ok) {
  if (!stream_.Came()) {
    return;
  }
  OnDisk([this, ok] {
    if (ok) {
      Take();
    } else if (stop_.stop_requested()) {
      End(Cancelled("the import was cancelled"));
    } else {
      End(WithFix(InvalidArgument("the stream ended without a close after {} bytes",
                                  upload_ != nullptr ? upload_->size_bytes() : 0),
                  "send the whole file, then a close with its size and SHA-256"));
    }
  });
}

void ImportCall::OnCancel() {
  stop_.request_stop();
}

void ImportCall::OnDone() {
  delete this;
}

void ImportCall::Take() {
  absl::Status status = rpc::Caught([this] { return TakePart(); });
  if (status.ok() && sha256_.empty()) {
    Read();  // last
    return;
  }
  if (status.ok()) {
    status = parts_.imports.Submit([this] {
      absl::StatusOr<v1::DatasetVersion> version = rpc::Caught([this] { return Import(); });
      const absl::Status imported = version.status();
      if (imported.ok()) {
        response_ = *std::move(version);
      }
      End(imported);
    });
  }
  if (!status.ok()) {
    End(status);
  }
}

absl::Status ImportCall::TakePart() {
  const bool begun = !dataset_.empty();
  switch (message_.part_case()) {
    case v1::ImportDatasetRequest::kHeader:
      if (begun) {
        return InvalidArgument("an import has one header, found a second one");
      }
      return TakeHeader();
    case v1::ImportDatasetRequest::kChunk:
      if (!begun) {
        return InvalidArgument("an import begins with its header, found a chunk");
      }
      return upload_->Take(message_.chunk());
    case v1::ImportDatasetRequest::kClose:
      if (!begun) {
        return InvalidArgument("an import begins with its header, found a close");
      }
      return TakeClose();
    case v1::ImportDatasetRequest::PART_NOT_SET:
      break;
  }
  return InvalidArgument("a message of an import has a header, a chunk or a close, found none");
}

absl::Status ImportCall::TakeClose() {
  ASSIGN_OR_RETURN(slot_, parts_.slots.Take());
  ASSIGN_OR_RETURN(sha256_, upload_->Finish(message_.close()));
  return absl::OkStatus();
}

absl::Status ImportCall::TakeHeader() {
  header_ = std::move(*message_.mutable_header());
  ASSIGN_OR_RETURN(const VersionedName name,
                   ParseVersionedName("datasets", "header.dataset", header_.dataset()));
  if (name.version != 0 || !name.sha256.empty()) {
    return WithFix(InvalidArgument("header.dataset must be '{}' without a version, found '{}'",
                                   CollectionName("datasets", name.id),
                                   header_.dataset()),
                   "an import makes the next version by itself");
  }
  RETURN_IF_ERROR(CheckFileName(header_.file_name()));
  RETURN_IF_ERROR(parts_.slots.Check());
  ASSIGN_OR_RETURN(
      upload_,
      parts_.uploads.Begin(header_.upload_id(),
                           header_,
                           {.subject = header_.dataset(), .caller = rpc::Caller(context_)}));
  dataset_ = name.id;
  return absl::OkStatus();
}

absl::StatusOr<v1::DatasetVersion> ImportCall::Import() {
  ASSIGN_OR_RETURN(const std::shared_ptr<storage::ReadableFile> file, upload_->OpenBytes());
  const StagedFile bytes{
      .size = file->size(),
      .read = [file](std::int64_t offset, std::int64_t size) { return file->Read(offset, size); }};
  const ImportMeans means{.scratch = {.files = parts_.files, .folder = parts_.scratch_folder},
                          .threads = ThreadsOf(parts_),
                          .limits = parts_.limits};
  ASSIGN_OR_RETURN(ImportResult result, parts_.pipeline(header_, bytes, means, stop_.get_token()));
  if (stop_.stop_requested()) {
    return Cancelled("the import was cancelled");
  }
  model::v1::Source source;
  source.set_name(header_.file_name());
  source.set_sha256(sha256_);
  source.set_size_bytes(file->size());
  const NewVersion made = VersionOf(std::move(result), source, means.threads);
  RETURN_IF_ERROR(CheckAnswer(made, parts_.answer_bytes_max));
  ASSIGN_OR_RETURN(v1::DatasetVersion version, parts_.store.Put(dataset_, made, stop_.get_token()));
  parts_.metrics->Imported(version.row_count(), file->size());
  log::Info("dataset_imported",
            {{"dataset", version.name()},
             {"sha256", version.sha256()},
             {"rows", std::to_string(version.row_count())}});
  return version;
}

void ImportCall::End(const absl::Status& status) {
  if (upload_ != nullptr) {
    upload_->Answer(status);
  }
  upload_.reset();
  slot_.reset();
  Finish(ToGrpcStatus(status));  // last: this object may be gone when it returns
}

}  // namespace millrace::data
