#include "services/training/worker/checkpoint.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "common/network/network.h"
#include "common/status/status.h"
#include "common/storage/sha256.h"

namespace millrace::training {

namespace {

using storage::FileSystem;
using storage::ReadableFile;
using storage::Sha256;
using storage::WritableFile;

static_assert(std::endian::native == std::endian::little, "checkpoints are little-endian");

constexpr std::string_view kMagic = "MRCHECKP";
constexpr std::uint32_t kFormatVersion = 1;
constexpr std::int64_t kOpeningBytes = 16;
constexpr std::int64_t kAlignment = 64;
constexpr std::int64_t kDigestBytes = 32;
constexpr std::int64_t kReadBytes = std::int64_t{1} << 20;

// Many times the largest header: recent epochs have some 2 MiB at most.
constexpr std::int64_t kHeaderBytesMax = std::int64_t{64} << 20;

constexpr int kArrays = 3;

constexpr std::string_view kNewest = "checkpoint";
constexpr std::string_view kPrevious = "checkpoint.previous";
constexpr std::string_view kUnfinished = "checkpoint.tmp";

std::int64_t AlignedUp(std::int64_t position) {
  return (position + kAlignment - 1) / kAlignment * kAlignment;
}

std::string PathOf(std::string_view folder, std::string_view name) {
  return fmt::format("{}/{}", folder, name);
}

std::string DeterministicBytes(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

// Writes and digests in one go.
class DigestedFile {
 public:
  explicit DigestedFile(WritableFile& file) : file_(file) {}

  absl::Status Append(std::string_view bytes) {
    digest_.Update(bytes);
    return file_.Append(bytes);
  }

  absl::Status Append(std::span<const float> floats) {
    return Append({reinterpret_cast<const char*>(floats.data()), floats.size_bytes()});
  }

  absl::Status AppendDigest() { return file_.Append(digest_.Finish()); }

 private:
  WritableFile& file_;
  Sha256 digest_;
};

std::string OpeningOf(std::size_t header_bytes) {
  const std::array<std::uint32_t, 2> numbers{kFormatVersion,
                                             static_cast<std::uint32_t>(header_bytes)};
  std::string opening(kMagic);
  opening.append(reinterpret_cast<const char*>(numbers.data()), sizeof numbers);
  return opening;
}

absl::Status WriteParts(const v1::CheckpointHeader& header,
                        const TrainerState& state,
                        WritableFile& file) {
  DigestedFile digested(file);
  std::string opening = DeterministicBytes(header);
  opening.insert(0, OpeningOf(opening.size()));
  opening.resize(static_cast<std::size_t>(AlignedUp(static_cast<std::int64_t>(opening.size()))));
  RETURN_IF_ERROR(digested.Append(std::string_view(opening)));
  RETURN_IF_ERROR(digested.Append(state.weights));
  RETURN_IF_ERROR(digested.Append(state.optimizer_slots));
  RETURN_IF_ERROR(digested.Append(state.best_weights));
  RETURN_IF_ERROR(digested.AppendDigest());
  RETURN_IF_ERROR(file.Sync());
  return file.Close();
}

absl::Status Damaged(std::string_view name, std::string_view what) {
  return DataLoss("{} is damaged: {}", name, what);
}

// The last bytes must be the SHA-256 of all before them.
absl::Status CheckDigest(const ReadableFile& file, std::string_view name) {
  const std::int64_t end = file.size() - kDigestBytes;
  if (end < kOpeningBytes) {
    return Damaged(name, fmt::format("it has {} bytes", file.size()));
  }
  Sha256 digest;
  for (std::int64_t offset = 0; offset < end; offset += kReadBytes) {
    ASSIGN_OR_RETURN(const std::string bytes,
                     file.Read(offset, std::min(kReadBytes, end - offset)));
    digest.Update(bytes);
  }
  ASSIGN_OR_RETURN(const std::string expected, file.Read(end, kDigestBytes));
  if (digest.Finish() != expected) {
    return Damaged(name, "its SHA-256 is not the one at its end");
  }
  return absl::OkStatus();
}

// Bytes of the header, after everything before the header was checked.
absl::StatusOr<std::int64_t> ReadOpening(const ReadableFile& file, std::string_view name) {
  ASSIGN_OR_RETURN(const std::string opening, file.Read(0, kOpeningBytes));
  if (!opening.starts_with(kMagic.substr(0, opening.size()))) {
    return InvalidArgument("{} is no checkpoint: it does not begin with '{}'", name, kMagic);
  }
  RETURN_IF_ERROR(CheckDigest(file, name));
  std::array<std::uint32_t, 2> numbers{};
  std::memcpy(numbers.data(), opening.data() + kMagic.size(), sizeof numbers);
  if (numbers[0] > kFormatVersion) {
    return WithFix(FailedPrecondition("{} has format version {}, this build reads up to {}",
                                      name,
                                      numbers[0],
                                      kFormatVersion),
                   "use a build at least as new as the one that wrote it");
  }
  if (numbers[0] < kFormatVersion || numbers[1] > kHeaderBytesMax) {
    return InvalidArgument("{} has format version {} and a header of {} bytes, expected {} and {}",
                           name,
                           numbers[0],
                           numbers[1],
                           kFormatVersion,
                           kHeaderBytesMax);
  }
  return numbers[1];
}

absl::Status CheckSizes(const v1::CheckpointHeader& header,
                        std::int64_t bytes,
                        std::string_view name) {
  std::int64_t floats = 0;
  for (const std::int64_t size : header.array_sizes()) {
    if (size < 0 || size > bytes) {
      return Damaged(name, fmt::format("an array of {} floats", size));
    }
    floats += size;
  }
  const std::int64_t expected = floats * static_cast<std::int64_t>(sizeof(float));
  if (header.array_sizes_size() != kArrays || expected != bytes) {
    return Damaged(
        name,
        fmt::format(
            "{} bytes for {} arrays of {} floats", bytes, header.array_sizes_size(), floats));
  }
  return absl::OkStatus();
}

absl::Status CheckIdentity(const v1::CheckpointIdentity& found,
                           const v1::CheckpointIdentity& expected,
                           std::string_view name) {
  if (DeterministicBytes(found) == DeterministicBytes(expected)) {
    return absl::OkStatus();
  }
  if (found.run() != expected.run()) {
    return InvalidArgument(
        "{} belongs to another run: expected {}, found {}", name, expected.run(), found.run());
  }
  return InvalidArgument("{} belongs to another spec or dataset of {}", name, expected.run());
}

// Going on would make weights that no build gives from the beginning.
absl::Status CheckNumerics(std::int32_t numerics, std::string_view name) {
  if (numerics > network::kNumerics) {
    return WithFix(
        FailedPrecondition(
            "{} has numerics {}, this build computes up to {}", name, numerics, network::kNumerics),
        "use a build at least as new as the one that wrote it");
  }
  if (numerics != network::kNumerics) {
    return InvalidArgument(
        "{} is of an older build, whose numbers differ in their last bits: "
        "expected numerics {}, found {}",
        name,
        network::kNumerics,
        std::max(numerics, 1));
  }
  return absl::OkStatus();
}

absl::Status ReadFloats(const ReadableFile& file,
                        std::int64_t count,
                        std::int64_t& offset,
                        std::vector<float>& floats) {
  floats.resize(static_cast<std::size_t>(count));
  auto* to = reinterpret_cast<char*>(floats.data());
  const std::int64_t end = offset + count * static_cast<std::int64_t>(sizeof(float));
  while (offset < end) {
    ASSIGN_OR_RETURN(const std::string bytes,
                     file.Read(offset, std::min(kReadBytes, end - offset)));
    if (bytes.empty()) {
      return DataLoss("a checkpoint became shorter while it was read");
    }
    to = std::copy(bytes.begin(), bytes.end(), to);
    offset += static_cast<std::int64_t>(bytes.size());
  }
  return absl::OkStatus();
}

void SetPosition(const TrainerState& state, v1::CheckpointHeader& header) {
  header.set_numerics(network::kNumerics);
  header.set_epoch(state.epoch);
  header.set_step(state.step);
  header.set_examples_done(state.examples_done);
  header.set_loss_sum(state.loss_sum);
  header.set_seconds(state.seconds);
  header.set_best_epoch(state.best_epoch);
  header.set_best_loss(state.best_loss);
  header.clear_array_sizes();
  for (const auto* const array : {&state.weights, &state.optimizer_slots, &state.best_weights}) {
    header.add_array_sizes(static_cast<std::int64_t>(array->size()));
  }
}

void TakePosition(const v1::CheckpointHeader& header, TrainerState& state) {
  state.epoch = header.epoch();
  state.step = header.step();
  state.examples_done = header.examples_done();
  state.loss_sum = header.loss_sum();
  state.seconds = header.seconds();
  state.best_epoch = header.best_epoch();
  state.best_loss = header.best_loss();
}

// Whether every epoch that the service has not stored is told by the checkpoint.
bool TellsEpochsAfter(std::int32_t epochs_stored, const v1::CheckpointHeader& header) {
  return header.epoch() <= epochs_stored ||
         (header.recent_epochs_size() > 0 && header.recent_epochs(0).epoch() <= epochs_stored + 1);
}

}  // namespace

std::string SpecSha256(model::v1::TrainingSpec spec) {
  spec.clear_threads();
  return storage::ToHex(storage::Sha256Of(DeterministicBytes(spec)));
}

absl::StatusOr<Checkpoint> ReadCheckpoint(FileSystem& files,
                                          const std::string& path,
                                          const v1::CheckpointIdentity& identity) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, files.Open(path));
  // Messages go to whoever watches the run, whom the machine's folders do not concern.
  const std::string_view name = std::string_view(path).substr(path.find_last_of('/') + 1);
  ASSIGN_OR_RETURN(const std::int64_t header_bytes, ReadOpening(*file, name));
  ASSIGN_OR_RETURN(const std::string bytes, file->Read(kOpeningBytes, header_bytes));
  Checkpoint checkpoint;
  if (!checkpoint.header.ParseFromString(bytes)) {
    return Damaged(name, "its header cannot be parsed");
  }
  std::int64_t offset = AlignedUp(kOpeningBytes + header_bytes);
  RETURN_IF_ERROR(CheckSizes(checkpoint.header, file->size() - kDigestBytes - offset, name));
  RETURN_IF_ERROR(CheckIdentity(checkpoint.header.identity(), identity, name));
  RETURN_IF_ERROR(CheckNumerics(checkpoint.header.numerics(), name));
  TrainerState& state = checkpoint.state;
  TakePosition(checkpoint.header, state);
  const auto& sizes = checkpoint.header.array_sizes();
  RETURN_IF_ERROR(ReadFloats(*file, sizes.Get(0), offset, state.weights));
  RETURN_IF_ERROR(ReadFloats(*file, sizes.Get(1), offset, state.optimizer_slots));
  RETURN_IF_ERROR(ReadFloats(*file, sizes.Get(2), offset, state.best_weights));
  return checkpoint;
}

absl::Status CheckpointFolder::Write(v1::CheckpointHeader header, const TrainerState& state) {
  SetPosition(state, header);
  const auto path = [this](std::string_view name) { return PathOf(folder_, name); };
  absl::Status cleared = files_.Remove(path(kUnfinished));
  if (!cleared.ok() && !absl::IsNotFound(cleared)) {
    return cleared;
  }
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, files_.Create(path(kUnfinished)));
    RETURN_IF_ERROR(WriteParts(header, state, *file));
  }
  absl::Status moved = files_.Rename(path(kNewest), path(kPrevious));
  if (!moved.ok() && !absl::IsNotFound(moved)) {
    return moved;
  }
  RETURN_IF_ERROR(files_.Rename(path(kUnfinished), path(kNewest)));
  return files_.SyncFolder(folder_);
}

absl::StatusOr<CheckpointFolder::Found> CheckpointFolder::Find(
    const v1::CheckpointIdentity& identity,
    std::int32_t epochs_stored) {
  Found found;
  for (const std::string_view name : {kNewest, kPrevious}) {
    absl::StatusOr<Checkpoint> read = ReadCheckpoint(files_, PathOf(folder_, name), identity);
    if (read.ok() && TellsEpochsAfter(epochs_stored, read->header)) {
      found.checkpoint = *std::move(read);
      return found;
    }
    if (read.ok()) {
      found.notes.push_back(fmt::format(
          "passed over a checkpoint of epoch {}: it does not tell the epochs after {}, which the "
          "service has lost",
          read->header.epoch(),
          epochs_stored));
    } else if (absl::IsDataLoss(read.status()) || absl::IsInvalidArgument(read.status())) {
      found.notes.push_back(
          fmt::format("passed over a checkpoint of this run: {}", Message(read.status())));
    } else if (!absl::IsNotFound(read.status())) {
      return read.status();
    }
  }
  return found;
}

}  // namespace millrace::training
