#include "services/data/store/splits_codec.h"

#include <algorithm>
#include <cstdint>

#include "millrace/schema/v1/schema.pb.h"

#include "common/status/check.h"
#include "common/status/status.h"
#include "services/data/store/byte_reader.h"

namespace millrace::data {

namespace {

constexpr std::string_view kMagic = "MRSPLITS";
constexpr std::uint32_t kVersion = 1;

bool IsSplit(std::uint8_t mark) {
  return mark == schema::v1::SPLIT_TRAIN || mark == schema::v1::SPLIT_VALIDATION ||
         mark == schema::v1::SPLIT_TEST;
}

bool Decode(std::string_view bytes, features::RowMarks& marks) {
  ByteReader reader(bytes);
  std::uint32_t version = 0;
  std::uint64_t rows = 0;
  return reader.Take(kMagic) && reader.Take(version) && version == kVersion && reader.Take(rows) &&
         reader.Take(rows, marks) && reader.empty() &&
         std::all_of(marks.begin(), marks.end(), IsSplit);
}

}  // namespace

std::string EncodeSplits(const features::RowMarks& marks) {
  const auto dropped = std::count(marks.begin(), marks.end(), features::kDropped);
  std::string bytes(kMagic);
  AppendTo(bytes, kVersion);
  AppendTo(bytes, static_cast<std::uint64_t>(marks.size()) - static_cast<std::uint64_t>(dropped));
  for (const std::uint8_t mark : marks) {
    if (mark == features::kDropped) {
      continue;
    }
    CHECK(IsSplit(mark));
    bytes.push_back(static_cast<char>(mark));
  }
  return bytes;
}

absl::StatusOr<features::RowMarks> DecodeSplits(std::string_view bytes) {
  features::RowMarks marks;
  if (!Decode(bytes, marks)) {
    return DataLoss("stored splits of {} bytes are none", bytes.size());
  }
  return marks;
}

}  // namespace millrace::data
