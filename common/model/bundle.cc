#include "common/model/bundle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "common/network/network.h"
#include "common/status/status.h"
#include "common/storage/sha256.h"

namespace millrace::model {

namespace {

static_assert(std::endian::native == std::endian::little, "bundles hold little-endian numbers");

constexpr std::string_view kMagic = "MILLRACE";
constexpr std::uint32_t kFormatVersion = 1;
constexpr std::size_t kHeaderBytes = 16;
constexpr std::size_t kWeightsAlignment = 64;

std::size_t AlignedUp(std::size_t position) {
  return (position + kWeightsAlignment - 1) / kWeightsAlignment * kWeightsAlignment;
}

void AppendUint32(std::uint32_t value, std::string& bytes) {
  std::array<char, sizeof value> raw{};
  std::memcpy(raw.data(), &value, sizeof value);
  bytes.append(raw.data(), raw.size());
}

std::uint32_t Uint32At(std::string_view bytes, std::size_t position) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + position, sizeof value);
  return value;
}

std::string_view BytesOf(std::span<const float> weights) {
  return {reinterpret_cast<const char*>(weights.data()), weights.size_bytes()};
}

std::string DigestOf(std::span<const float> weights) {
  return storage::ToHex(storage::Sha256Of(BytesOf(weights)));
}

// Floats in all tensors; checked, since a shape may say anything.
absl::StatusOr<std::uint64_t> FloatCount(const v1::BundleManifest& manifest) {
  std::uint64_t total = 0;
  for (const v1::Tensor& tensor : manifest.tensors()) {
    std::uint64_t count = 1;
    for (const std::int64_t size : tensor.shape()) {
      if (size <= 0 || __builtin_mul_overflow(count, static_cast<std::uint64_t>(size), &count)) {
        return InvalidArgument("the shape of tensor '{}' has no valid product at size {}",
                               tensor.name().substr(0, 64),
                               size);
      }
    }
    if (__builtin_add_overflow(total, count, &total)) {
      return InvalidArgument("the tensors together are too large at '{}'",
                             tensor.name().substr(0, 64));
    }
  }
  if (total > std::numeric_limits<std::uint64_t>::max() / sizeof(float)) {
    return InvalidArgument("the tensors together are too large: {} floats", total);
  }
  return total;
}

bool IsSameTensor(const v1::Tensor& a, const v1::Tensor& b) {
  return a.name() == b.name() &&
         std::equal(a.shape().begin(), a.shape().end(), b.shape().begin(), b.shape().end());
}

// The tensors must be those of the network that the manifest describes.
absl::Status CheckTensors(const v1::BundleManifest& manifest) {
  const std::int64_t inputs = manifest.transforms().input_count();
  if (inputs <= 0) {
    return InvalidArgument("the bundle's transforms give {} inputs", inputs);
  }
  const auto network = network::Network::Create(manifest.training().network(), inputs);
  if (!network.ok()) {
    return Annotate(network.status(), "the bundle's network");
  }
  const std::vector<v1::Tensor> expected = network->Tensors();
  if (expected.size() != static_cast<std::size_t>(manifest.tensors_size())) {
    return InvalidArgument("the bundle's network has {} tensors, the bundle {}",
                           expected.size(),
                           manifest.tensors_size());
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const v1::Tensor& found = manifest.tensors(static_cast<int>(i));
    if (!IsSameTensor(expected[i], found)) {
      return InvalidArgument(
          "tensor {} of the bundle is not the network's '{}': name or shape of '{}'",
          i,
          expected[i].name(),
          found.name().substr(0, 64));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(std::span<const float> weights) {
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!std::isfinite(weights[i])) {
      return InvalidArgument("weight {} of the bundle is not a finite number", i);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> SerializeDeterministically(const v1::BundleManifest& manifest) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    if (!manifest.SerializeToCodedStream(&coded)) {
      return InvalidArgument("the bundle's manifest is too large to write");
    }
  }
  return bytes;
}

absl::Status TooShort(std::string_view part, std::uint64_t expected, std::uint64_t found) {
  return DataLoss(
      "the bundle ends in its {}: expected at least {} bytes, found {}", part, expected, found);
}

// The manifest's size, after everything before the manifest was checked.
absl::StatusOr<std::size_t> ReadHeader(std::string_view bytes) {
  if (bytes.substr(0, kMagic.size()) != kMagic.substr(0, bytes.size())) {
    return InvalidArgument("not a bundle: it does not begin with '{}'", kMagic);
  }
  if (bytes.size() < kHeaderBytes) {
    return TooShort("header", kHeaderBytes, bytes.size());
  }
  const std::uint32_t version = Uint32At(bytes, kMagic.size());
  if (version > kFormatVersion) {
    return WithFix(
        FailedPrecondition(
            "the bundle has format version {}, this build reads up to {}", version, kFormatVersion),
        "use a build at least as new as the one that trained the model");
  }
  if (version < kFormatVersion) {
    return InvalidArgument(
        "the bundle has format version {}, expected {}", version, kFormatVersion);
  }
  const std::size_t manifest_bytes = Uint32At(bytes, kMagic.size() + sizeof version);
  if (bytes.size() - kHeaderBytes < manifest_bytes) {
    return TooShort("manifest", kHeaderBytes + manifest_bytes, bytes.size());
  }
  if (manifest_bytes > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return InvalidArgument("the bundle's manifest has {} bytes", manifest_bytes);
  }
  return manifest_bytes;
}

// Absent in bundles that are older than the field.
std::int32_t NumericsOf(const v1::BundleManifest& manifest) {
  return manifest.numerics() == 0 ? 1 : manifest.numerics();
}

absl::Status CheckNumerics(std::int32_t numerics) {
  if (numerics > network::kNumerics) {
    return WithFix(FailedPrecondition("the bundle has numerics {}, this build computes up to {}",
                                      numerics,
                                      network::kNumerics),
                   "use a build at least as new as the one that trained the model");
  }
  if (numerics < 1) {
    return InvalidArgument(
        "the bundle has numerics {}, expected 1 to {}", numerics, network::kNumerics);
  }
  return absl::OkStatus();
}

absl::Status CheckWeightBytes(std::uint64_t expected, std::size_t start, std::size_t size) {
  if (size - start < expected) {
    return TooShort("weights", start + expected, size);
  }
  if (size - start > expected) {
    return InvalidArgument("the bundle has {} bytes after its weights", size - start - expected);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> WriteBundle(const Bundle& bundle) {
  ASSIGN_OR_RETURN(const std::uint64_t count, FloatCount(bundle.manifest));
  if (count != bundle.weights.size()) {
    return InvalidArgument(
        "the tensors hold {} floats, the weights {}", count, bundle.weights.size());
  }
  v1::BundleManifest manifest = bundle.manifest;
  const std::string digest = DigestOf(bundle.weights);
  if (manifest.lineage().weights_sha256().empty()) {
    manifest.mutable_lineage()->set_weights_sha256(digest);
  }
  if (manifest.lineage().weights_sha256() != digest) {
    return InvalidArgument(
        "lineage.weights_sha256 must be {}, found {}", digest, manifest.lineage().weights_sha256());
  }
  ASSIGN_OR_RETURN(const std::string serialized, SerializeDeterministically(manifest));
  std::string bytes(kMagic);
  AppendUint32(kFormatVersion, bytes);
  AppendUint32(static_cast<std::uint32_t>(serialized.size()), bytes);
  bytes += serialized;
  bytes.resize(AlignedUp(bytes.size()), '\0');
  bytes += BytesOf(bundle.weights);
  return bytes;
}

absl::StatusOr<Bundle> ReadBundle(std::string_view bytes) {
  ASSIGN_OR_RETURN(const std::size_t manifest_bytes, ReadHeader(bytes));
  Bundle bundle;
  if (!bundle.manifest.ParseFromArray(bytes.data() + kHeaderBytes,
                                      static_cast<int>(manifest_bytes))) {
    return InvalidArgument("the bundle's manifest of {} bytes cannot be parsed", manifest_bytes);
  }
  RETURN_IF_ERROR(CheckNumerics(NumericsOf(bundle.manifest)));
  const std::size_t manifest_end = kHeaderBytes + manifest_bytes;
  const std::size_t start = AlignedUp(manifest_end);
  if (bytes.size() < start) {
    return TooShort("manifest", start, bytes.size());
  }
  if (bytes.substr(manifest_end, start - manifest_end).find_first_not_of('\0') !=
      std::string_view::npos) {
    return InvalidArgument("the bundle's manifest is not followed by zeros at byte {}",
                           manifest_end);
  }
  ASSIGN_OR_RETURN(const std::uint64_t count, FloatCount(bundle.manifest));
  RETURN_IF_ERROR(CheckWeightBytes(count * sizeof(float), start, bytes.size()));
  RETURN_IF_ERROR(CheckTensors(bundle.manifest));
  bundle.weights.resize(count);
  if (count > 0) {  // a network of activations alone has none
    std::memcpy(bundle.weights.data(), bytes.data() + start, count * sizeof(float));
  }
  RETURN_IF_ERROR(CheckFinite(bundle.weights));
  const std::string digest = DigestOf(bundle.weights);
  if (bundle.manifest.lineage().weights_sha256() != digest) {
    return DataLoss("the weights' digest is {}, the lineage says '{}'",
                    digest,
                    bundle.manifest.lineage().weights_sha256().substr(0, 64));
  }
  return bundle;
}

void TellNumerics(const v1::BundleManifest& manifest, v1::Lineage& lineage) {
  lineage.set_numerics(NumericsOf(manifest));
  lineage.set_served_numerics(network::kNumerics);
}

}  // namespace millrace::model
