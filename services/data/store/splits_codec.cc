#include "services/data/store/splits_codec.h"

#include "millrace/schema/v1/schema.pb.h"

#include "common/status/check.h"
#include "common/status/status.h"
#include "services/data/store/byte_reader.h"

namespace millrace::data {

namespace {

constexpr std::string_view kMagic = "MRSPLITS";
constexpr std::uint32_t kVersion = 1;

void Mark(const std::vector<std::int64_t>& rows, schema::v1::Split split, std::string& marks) {
  for (const std::int64_t row : rows) {
    const auto at = static_cast<std::size_t>(row);
    CHECK(row >= 0 && at < marks.size() && marks[at] == 0);
    marks[at] = static_cast<char>(split);
  }
}

bool Decode(std::string_view bytes, Splits& splits) {
  ByteReader reader(bytes);
  std::uint32_t version = 0;
  std::uint64_t rows = 0;
  std::vector<std::uint8_t> marks;
  if (!reader.Take(kMagic) || !reader.Take(version) || version != kVersion || !reader.Take(rows) ||
      !reader.Take(rows, marks) || !reader.empty()) {
    return false;
  }
  for (std::size_t row = 0; row < marks.size(); ++row) {
    const auto number = static_cast<std::int64_t>(row);
    switch (marks[row]) {
      case schema::v1::SPLIT_TRAIN:
        splits.train.push_back(number);
        break;
      case schema::v1::SPLIT_VALIDATION:
        splits.validation.push_back(number);
        break;
      case schema::v1::SPLIT_TEST:
        splits.test.push_back(number);
        break;
      default:
        return false;
    }
  }
  return true;
}

}  // namespace

std::string EncodeSplits(const Splits& splits) {
  std::string marks(splits.train.size() + splits.validation.size() + splits.test.size(), '\0');
  Mark(splits.train, schema::v1::SPLIT_TRAIN, marks);
  Mark(splits.validation, schema::v1::SPLIT_VALIDATION, marks);
  Mark(splits.test, schema::v1::SPLIT_TEST, marks);
  std::string bytes(kMagic);
  AppendTo(bytes, kVersion);
  AppendTo(bytes, static_cast<std::uint64_t>(marks.size()));
  return bytes + marks;
}

absl::StatusOr<Splits> DecodeSplits(std::string_view bytes) {
  Splits splits;
  if (!Decode(bytes, splits)) {
    return DataLoss("stored splits of {} bytes are none", bytes.size());
  }
  return splits;
}

}  // namespace millrace::data
