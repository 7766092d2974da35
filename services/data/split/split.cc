#include "services/data/split/split.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <absl/container/flat_hash_map.h>

#include "millrace/schema/v1/schema.pb.h"

#include "common/status/status.h"

namespace millrace::data {

namespace {

constexpr std::uint64_t kSplitKey = 0x6d696c6c2d73706cU;  // beside the seed; never changes

// Rows of one class.
struct ClassRows {
  std::int64_t count = 0;
  std::int64_t train_end = 0;  // of them in order
  std::int64_t validation_end = 0;
  std::int64_t next = 0;
};

// How many of `count` rows make the share, to the nearest row.
std::int64_t Quota(std::int64_t count, double share) {
  const double rows = std::round(static_cast<double>(count) * share);
  return std::min(count, static_cast<std::int64_t>(rows));
}

schema::v1::Split SplitOf(ClassRows& rows) {
  const std::int64_t place = rows.next++;
  if (place < rows.train_end) {
    return schema::v1::SPLIT_TRAIN;
  }
  return place < rows.validation_end ? schema::v1::SPLIT_VALIDATION : schema::v1::SPLIT_TEST;
}

}  // namespace

features::HashKey RankKey(const v1::ImportOptions& options) {
  return {static_cast<std::uint64_t>(options.split_seed()), kSplitKey};
}

absl::Status AssignSplits(const features::RankedRows& ranked,
                          bool by_class,
                          const v1::ImportOptions& options,
                          features::RowMarks& marks) {
  absl::flat_hash_map<std::uint64_t, ClassRows> classes;  // by the label's word
  const auto class_of = [&](const features::RankedRow& row) -> ClassRows& {
    return classes[by_class ? row.label : 0];
  };
  const auto mark_of = [&](const features::RankedRow& row) -> std::uint8_t& {
    return marks[static_cast<std::size_t>(row.row)];
  };
  RETURN_IF_ERROR(ranked.ForEach([&](const features::RankedRow& row) {
    class_of(row).count += mark_of(row) == features::kDropped ? 0 : 1;
    return absl::OkStatus();
  }));
  const double trained = options.train_fraction();
  const double seen = trained + options.validation_fraction();
  for (auto& entry : classes) {
    ClassRows& rows = entry.second;
    rows.train_end = std::max<std::int64_t>(1, Quota(rows.count, trained));
    rows.validation_end = std::max(rows.train_end, Quota(rows.count, seen));
  }
  return ranked.ForEach([&](const features::RankedRow& row) {
    std::uint8_t& mark = mark_of(row);
    if (mark != features::kDropped) {
      mark = static_cast<std::uint8_t>(SplitOf(class_of(row)));
    }
    return absl::OkStatus();
  });
}

}  // namespace millrace::data
