#include "services/training/worker/lineage.h"

#include "common/storage/sha256.h"

namespace millrace::training {

std::string WeightsSha256(std::span<const float> weights) {
  // Little-endian float32, as every machine has them that this is built for.
  const std::string_view bytes(reinterpret_cast<const char*>(weights.data()), weights.size_bytes());
  return storage::ToHex(storage::Sha256Of(bytes));
}

}  // namespace millrace::training
