#include "common/storage/segmented_blob.h"

#include <bit>
#include <cstring>

#include "common/clock/random.h"
#include "common/status/status.h"
#include "common/storage/sha256.h"

namespace millrace::storage {

namespace {

static_assert(std::endian::native == std::endian::little, "blobs are little-endian");

constexpr std::string_view kHeader = {"MRBLOB\x02\0", 8};
constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kEntryBytes = 2 * sizeof(std::uint64_t) + kDigestBytes;
constexpr int kZstdLevel = -1;  // columns of numbers: as small as at 1, and faster

std::string BytesOf(std::uint64_t number) {
  std::string bytes(sizeof(number), '\0');
  std::memcpy(bytes.data(), &number, sizeof(number));
  return bytes;
}

std::uint64_t NumberAt(std::string_view bytes, std::size_t at) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof(number));
  return number;
}

std::string NameOf(const std::vector<Segment>& segments) {
  Sha256 sha256;
  sha256.Update("MRSEGMENTS");
  for (const Segment& segment : segments) {
    sha256.Update(BytesOf(segment.size));
    sha256.Update(segment.sha256);
  }
  return ToHex(sha256.Finish());
}

std::string IndexOf(const std::vector<Segment>& segments) {
  std::string index;
  for (const Segment& segment : segments) {
    index += BytesOf(segment.size);
    index += BytesOf(segment.stored_size);
    index += segment.sha256;
  }
  return index + BytesOf(segments.size());
}

// The segments of an index without its count.
std::vector<Segment> SegmentsIn(std::string_view index) {
  std::vector<Segment> segments;
  for (std::size_t at = 0; at < index.size(); at += kEntryBytes) {
    segments.push_back(
        {.size = NumberAt(index, at),
         .stored_size = NumberAt(index, at + sizeof(std::uint64_t)),
         .sha256 = std::string(index.substr(at + kEntryBytes - kDigestBytes, kDigestBytes))});
  }
  return segments;
}

}  // namespace

SegmentedBlobWriter::SegmentedBlobWriter(FileSystem& files, std::string folder, std::string path)
    : files_(files),
      folder_(std::move(folder)),
      path_(std::move(path)),
      compressor_(kZstdLevel) {}

absl::StatusOr<std::unique_ptr<SegmentedBlobWriter>> SegmentedBlobWriter::Create(
    FileSystem& files,
    const std::string& folder) {
  std::string path = fmt::format("{}/{}.tmp", folder, RandomHex(16));
  ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, files.Create(path));
  std::unique_ptr<SegmentedBlobWriter> writer(
      new SegmentedBlobWriter(files, folder, std::move(path)));
  writer->file_ = std::move(file);
  RETURN_IF_ERROR(writer->file_->Append(kHeader));
  return writer;
}

SegmentedBlobWriter::~SegmentedBlobWriter() {
  file_.reset();
  if (!path_.empty()) {
    files_.Remove(path_).IgnoreError();  // if it stays, the next Open() removes it
  }
}

absl::Status SegmentedBlobWriter::Append(std::string_view segment) {
  const std::string frame = compressor_.Compress(segment);
  const std::string_view stored = frame.empty() ? segment : frame;
  segments_.push_back(
      {.size = segment.size(), .stored_size = stored.size(), .sha256 = Sha256Of(segment)});
  return file_->Append(stored);
}

absl::StatusOr<std::string> SegmentedBlobWriter::Commit() {
  RETURN_IF_ERROR(file_->Append(IndexOf(segments_)));
  RETURN_IF_ERROR(file_->Sync());
  RETURN_IF_ERROR(file_->Close());
  std::string name = NameOf(segments_);
  // A blob of that name says the same; one that was damaged is repaired by this.
  RETURN_IF_ERROR(files_.Rename(path_, fmt::format("{}/{}", folder_, name)));
  path_.clear();
  RETURN_IF_ERROR(files_.SyncFolder(folder_));
  return name;
}

absl::StatusOr<SegmentedBlob> SegmentedBlob::Open(FileSystem& files,
                                                  const std::string& folder,
                                                  std::string_view sha256) {
  SegmentedBlob blob;
  blob.name_ = std::string(sha256);
  ASSIGN_OR_RETURN(blob.file_, files.Open(fmt::format("{}/{}", folder, sha256)));
  const ReadableFile& file = *blob.file_;
  constexpr auto kHeaderBytes = static_cast<std::int64_t>(kHeader.size());
  constexpr auto kCountBytes = static_cast<std::int64_t>(sizeof(std::uint64_t));
  ASSIGN_OR_RETURN(const std::string header, file.Read(0, kHeaderBytes));
  const std::int64_t left = file.size() - kHeaderBytes - kCountBytes;  // segments and index
  if (header != kHeader || left < 0) {
    return DataLoss("blob {}: no header of a segmented blob", blob.name_);
  }
  ASSIGN_OR_RETURN(const std::string count_bytes, file.Read(kHeaderBytes + left, kCountBytes));
  const std::uint64_t count =
      count_bytes.size() == sizeof(std::uint64_t) ? NumberAt(count_bytes, 0) : ~std::uint64_t{0};
  if (count > static_cast<std::uint64_t>(left) / kEntryBytes) {
    return DataLoss("blob {}: its index is longer than its file", blob.name_);
  }
  const auto index_bytes = static_cast<std::int64_t>(count * kEntryBytes);
  ASSIGN_OR_RETURN(const std::string index,
                   file.Read(kHeaderBytes + left - index_bytes, index_bytes));
  if (static_cast<std::int64_t>(index.size()) != index_bytes) {
    return DataLoss("blob {}: its index is cut", blob.name_);
  }
  blob.segments_ = SegmentsIn(index);
  const std::string found = NameOf(blob.segments_);
  if (found != sha256) {
    return DataLoss("blob {}: its index has SHA-256 {}", blob.name_, found);
  }
  std::int64_t offset = kHeaderBytes;
  for (const Segment& segment : blob.segments_) {
    blob.offsets_.push_back(offset);
    if (segment.stored_size > static_cast<std::uint64_t>(left)) {
      return DataLoss("blob {}: a segment is longer than the file", blob.name_);
    }
    offset += static_cast<std::int64_t>(segment.stored_size);
  }
  if (offset != kHeaderBytes + left - index_bytes) {
    return DataLoss("blob {}: its segments do not fill it", blob.name_);
  }
  return blob;
}

absl::StatusOr<std::string> SegmentedBlob::Read(std::size_t segment) const {
  const Segment& entry = segments_.at(segment);
  ASSIGN_OR_RETURN(std::string bytes,
                   file_->Read(offsets_[segment], static_cast<std::int64_t>(entry.stored_size)));
  if (entry.stored_size < entry.size) {
    absl::StatusOr<std::string> whole = Decompress(bytes, entry.size);
    if (!whole.ok()) {
      return Annotate(whole.status(), fmt::format("blob {}, segment {}", name_, segment));
    }
    bytes = *std::move(whole);
  }
  if (bytes.size() != entry.size || Sha256Of(bytes) != entry.sha256) {
    return DataLoss("blob {}: segment {} is damaged", name_, segment);
  }
  return bytes;
}

}  // namespace millrace::storage
