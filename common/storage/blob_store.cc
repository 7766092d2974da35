#include "common/storage/blob_store.h"

#include <algorithm>
#include <cstddef>

#include "common/status/status.h"
#include "common/storage/compression.h"
#include "common/storage/durable_file.h"

namespace millrace::storage {

namespace {

constexpr std::string_view kMagic = "MRBLOB";
constexpr char kVersion = 1;
constexpr char kVersionSegmented = 2;  // segmented_blob.h
constexpr char kCodecNone = 0;
constexpr char kCodecZstd = 1;
constexpr std::size_t kHeaderBytes = 16;
constexpr int kZstdLevel = 3;

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string HeaderOf(char codec, std::uint64_t size) {
  std::string header(kMagic);
  header.push_back(kVersion);
  header.push_back(codec);
  for (unsigned shift = 0; shift < 64; shift += 8) {
    header.push_back(static_cast<char>((size >> shift) & 0xFFU));
  }
  return header;
}

std::uint64_t SizeIn(std::string_view header) {
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    size |= std::uint64_t{static_cast<unsigned char>(header[8 + i])} << (8 * i);
  }
  return size;
}

// The blob's bytes from those on disk, or an error that says what is wrong with them.
absl::StatusOr<std::string> Decode(std::string stored) {
  if (stored.size() < kHeaderBytes || stored.compare(0, kMagic.size(), kMagic) != 0) {
    return DataLoss("no blob's header");
  }
  if (stored[kMagic.size()] != kVersion) {
    return DataLoss("format version {} is unknown", static_cast<int>(stored[kMagic.size()]));
  }
  const char codec = stored[kMagic.size() + 1];
  const std::uint64_t size = SizeIn(stored);
  const std::string_view content = std::string_view(stored).substr(kHeaderBytes);
  if (codec == kCodecNone) {
    if (content.size() != size) {
      return DataLoss("expected {} bytes, found {}", size, content.size());
    }
    stored.erase(0, kHeaderBytes);
    return stored;
  }
  if (codec != kCodecZstd) {
    return DataLoss("the header does not fit the content");
  }
  return Decompress(content, size);
}

}  // namespace

absl::Status PrepareFolder(FileSystem& files, const std::string& folder) {
  RETURN_IF_ERROR(files.MakeFolder(folder));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(folder));
  for (const std::string& name : names) {
    const bool left = EndsWith(name, ".tmp") || EndsWith(name, ".part");
    RETURN_IF_ERROR(left ? files.Remove(fmt::format("{}/{}", folder, name)) : absl::OkStatus());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BlobStore>> BlobStore::Open(FileSystem& files,
                                                           const std::string& folder) {
  RETURN_IF_ERROR(PrepareFolder(files, folder));
  // Whoever made the folder may have been killed before the sync.
  RETURN_IF_ERROR(files.SyncFolder(ParentOf(folder)));
  return std::unique_ptr<BlobStore>(new BlobStore(files, folder));
}

std::string BlobStore::PathOf(std::string_view sha256) const {
  return fmt::format("{}/{}", folder_, sha256);
}

absl::StatusOr<std::string> BlobStore::Put(std::string_view bytes) {
  std::string sha256 = ToHex(Sha256Of(bytes));
  if (Get(sha256).ok()) {
    // Whoever wrote it may have failed between rename and sync.
    RETURN_IF_ERROR(files_.SyncFolder(folder_));
    return sha256;
  }
  const std::string frame = Compressor(kZstdLevel).Compress(bytes);
  const bool compressed = !frame.empty();
  const std::string header = HeaderOf(compressed ? kCodecZstd : kCodecNone, bytes.size());
  RETURN_IF_ERROR(
      WriteDurably(files_, PathOf(sha256), {header, compressed ? std::string_view(frame) : bytes}));
  return sha256;
}

absl::StatusOr<std::string> BlobStore::Get(std::string_view sha256) const {
  if (!IsHex(sha256)) {  // never joined to a path
    return NotFound("no blob of that name");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, files_.Open(PathOf(sha256)));
  ASSIGN_OR_RETURN(std::string stored, file->Read(0, file->size()));
  absl::StatusOr<std::string> bytes = Decode(std::move(stored));
  if (!bytes.ok()) {
    return Annotate(bytes.status(), fmt::format("blob {}", sha256));
  }
  const std::string found = ToHex(Sha256Of(*bytes));
  if (found != sha256) {
    return DataLoss("blob {}: its bytes have SHA-256 {}", sha256, found);
  }
  return bytes;
}

absl::StatusOr<std::unique_ptr<SegmentedBlobWriter>> BlobStore::NewSegmented() {
  return SegmentedBlobWriter::Create(files_, folder_);
}

absl::StatusOr<SegmentedBlob> BlobStore::OpenSegmented(std::string_view sha256) const {
  if (!IsHex(sha256)) {  // never joined to a path
    return NotFound("no blob of that name");
  }
  return SegmentedBlob::Open(files_, folder_, sha256);
}

absl::Status BlobStore::Verify(std::string_view sha256) const {
  if (!IsHex(sha256)) {  // never joined to a path
    return NotFound("no blob of that name");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, files_.Open(PathOf(sha256)));
  ASSIGN_OR_RETURN(const std::string start, file->Read(0, kMagic.size() + 1));
  if (start.size() <= kMagic.size() || start[kMagic.size()] != kVersionSegmented) {
    return Get(sha256).status();
  }
  ASSIGN_OR_RETURN(const SegmentedBlob blob, OpenSegmented(sha256));
  for (std::size_t segment = 0; segment < blob.count(); ++segment) {
    RETURN_IF_ERROR(blob.Read(segment).status());
  }
  return absl::OkStatus();
}

absl::Status BlobStore::Remove(std::string_view sha256) {
  if (!IsHex(sha256)) {
    return absl::OkStatus();
  }
  const absl::Status removed = files_.Remove(PathOf(sha256));
  if (absl::IsNotFound(removed)) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(removed);
  return files_.SyncFolder(folder_);
}

absl::StatusOr<std::vector<std::string>> BlobStore::List() const {
  ASSIGN_OR_RETURN(std::vector<std::string> names, files_.List(folder_));
  names.erase(std::remove_if(
                  names.begin(), names.end(), [](const std::string& name) { return !IsHex(name); }),
              names.end());
  return names;
}

}  // namespace millrace::storage
