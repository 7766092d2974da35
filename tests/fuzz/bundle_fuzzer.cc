// Bundles: what is read is written as the same bundle, and no byte of the weights can change
// unseen.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "common/model/bundle.h"
#include "common/network/network.h"
#include "common/status/check.h"

namespace millrace::model {
namespace {

bool IsSame(const Bundle& a, const Bundle& b) {
  return a.weights.size() == b.weights.size() &&
         std::equal(a.weights.begin(), a.weights.end(), b.weights.begin()) &&
         a.manifest.SerializeAsString() == b.manifest.SerializeAsString();
}

void HoldBytes(std::string_view bytes) {
  const auto bundle = ReadBundle(bytes);
  if (!bundle.ok()) {
    return;
  }
  const auto written = WriteBundle(*bundle);
  CHECK(written.ok());
  const auto again = ReadBundle(*written);
  CHECK(again.ok() && IsSame(*bundle, *again));
}

// Random bytes never have the digest that their weights ask for. So these are a manifest's length,
// the manifest and weights, and the rest is made to fit.
void HoldParts(std::string_view parts) {
  std::uint16_t manifest_bytes = 0;
  if (parts.size() < sizeof manifest_bytes) {
    return;
  }
  std::memcpy(&manifest_bytes, parts.data(), sizeof manifest_bytes);
  parts.remove_prefix(sizeof manifest_bytes);
  const std::string_view manifest = parts.substr(0, manifest_bytes);
  parts.remove_prefix(manifest.size());
  Bundle bundle;
  if (!bundle.manifest.ParseFromArray(manifest.data(), static_cast<int>(manifest.size()))) {
    return;
  }
  const std::int64_t inputs = bundle.manifest.transforms().input_count();
  const auto network = network::Network::Create(bundle.manifest.training().network(), inputs);
  constexpr std::int64_t kParametersMax = 4096;
  if (inputs <= 0 || !network.ok() || network->parameter_count() > kParametersMax) {
    return;
  }
  bundle.manifest.clear_tensors();
  for (const v1::Tensor& tensor : network->Tensors()) {
    *bundle.manifest.add_tensors() = tensor;
  }
  bundle.manifest.mutable_lineage()->clear_weights_sha256();
  bundle.weights.resize(static_cast<std::size_t>(network->parameter_count()));
  for (std::size_t i = 0; i < bundle.weights.size() && (i + 1) * sizeof(float) <= parts.size();
       ++i) {
    std::memcpy(&bundle.weights[i], parts.data() + i * sizeof(float), sizeof(float));
  }

  auto bytes = WriteBundle(bundle);
  CHECK(bytes.ok());
  const auto read = ReadBundle(*bytes);
  // A weight may be no number, and the contract of numbers one to come.
  CHECK(read.ok() || absl::IsInvalidArgument(read.status()) ||
        absl::IsFailedPrecondition(read.status()));
  CHECK(!read.ok() || *WriteBundle(*read) == *bytes);
  if (!bundle.weights.empty()) {
    const std::size_t at =
        bytes->size() - 1 - manifest_bytes % (bundle.weights.size() * sizeof(float));
    (*bytes)[at] = static_cast<char>((*bytes)[at] ^ 1);
    CHECK(!ReadBundle(*bytes).ok());
  }
}

}  // namespace
}  // namespace millrace::model

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.starts_with('M')) {
    millrace::model::HoldBytes(input);
  } else {
    millrace::model::HoldParts(input.substr(std::min<std::size_t>(1, size)));
  }
  return 0;
}
