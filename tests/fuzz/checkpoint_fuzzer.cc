// Checkpoints: a file is read as it was written or not at all, and the older one stands in for it.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "common/status/check.h"
#include "common/storage/sha256.h"
#include "services/training/worker/checkpoint.h"
#include "tests/faults/power_loss_disk.h"

namespace millrace::training {
namespace {

const std::string kFolder = "/run";  // in memory
const std::string kNewest = kFolder + "/checkpoint";
const std::string kPrevious = kFolder + "/checkpoint.previous";

void Put(storage::FileSystem& files, const std::string& path, std::string_view bytes) {
  const auto file = files.Create(path);
  CHECK(file.ok() && (*file)->Append(bytes).ok() && (*file)->Close().ok());
}

std::string Get(storage::FileSystem& files, const std::string& path) {
  const auto file = files.Open(path);
  CHECK(file.ok());
  return (*file)->Read(0, (*file)->size()).value();
}

// A checkpoint's bytes as they are, with its SHA-256 behind them if `sealed`.
void HoldBytes(bool sealed, std::string_view bytes) {
  std::string content(bytes);
  v1::CheckpointIdentity identity;
  if (sealed) {
    content += storage::Sha256Of(bytes);
  }
  faults::PowerLossDisk disk(kFolder);
  Put(disk, kNewest, content);
  const auto read = ReadCheckpoint(disk, kNewest, identity);
  CHECK(read.ok() || absl::IsDataLoss(read.status()) || absl::IsInvalidArgument(read.status()) ||
        absl::IsFailedPrecondition(read.status()));
  if (read.ok()) {
    const TrainerState& state = read->state;
    CHECK((state.weights.size() + state.optimizer_slots.size() + state.best_weights.size()) *
              sizeof(float) <=
          content.size());
  }
}

std::vector<float> FloatsOf(std::string_view bytes) {
  std::vector<float> floats(bytes.size() / sizeof(float));
  if (!floats.empty()) {
    std::memcpy(floats.data(), bytes.data(), floats.size() * sizeof(float));
  }
  return floats;
}

// A header's length, the header and floats: written twice, read, damaged, read.
void HoldParts(std::string_view parts) {
  std::uint16_t header_bytes = 0;
  if (parts.size() < sizeof header_bytes) {
    return;
  }
  std::memcpy(&header_bytes, parts.data(), sizeof header_bytes);
  parts.remove_prefix(sizeof header_bytes);
  const std::string_view header_part = parts.substr(0, header_bytes);
  const std::string_view floats = parts.substr(header_part.size());
  v1::CheckpointHeader header;
  if (!header.ParseFromArray(header_part.data(), static_cast<int>(header_part.size()))) {
    return;
  }
  TrainerState state;
  state.weights = FloatsOf(floats.substr(0, floats.size() / 2));
  state.optimizer_slots = FloatsOf(floats.substr(floats.size() / 2));
  state.epoch = header.epoch() / 2;
  state.step = header.step();

  faults::PowerLossDisk disk(kFolder);
  CheckpointFolder folder(disk, kFolder);
  CHECK(folder.Write(header, state).ok());
  const std::string first = Get(disk, kNewest);
  state.step /= 2;
  CHECK(folder.Write(header, state).ok());
  const auto found = folder.Find(header.identity(), state.epoch);
  CHECK(found.ok() && found->checkpoint.has_value() && found->notes.empty());
  CHECK(found->checkpoint->state.step == state.step);
  CHECK(found->checkpoint->state.weights.size() == state.weights.size());
  CHECK(Get(disk, kPrevious) == first);

  std::string damaged = Get(disk, kNewest);
  const std::size_t at = header_bytes % damaged.size();
  damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
  CHECK(disk.Remove(kNewest).ok());
  Put(disk, kNewest, damaged);
  const auto older = folder.Find(header.identity(), state.epoch);
  CHECK(older.ok() && older->checkpoint.has_value() && older->notes.size() == 1);
  CHECK(older->checkpoint->state.step == header.step());
}

}  // namespace
}  // namespace millrace::training

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      millrace::training::HoldBytes(false, input);
      break;
    case 1:
      millrace::training::HoldBytes(true, input);
      break;
    default:
      millrace::training::HoldParts(input);
  }
  return 0;
}
