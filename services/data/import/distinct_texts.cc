#include "services/data/import/distinct_texts.h"

#include <algorithm>
#include <optional>

#include "common/status/status.h"

namespace millrace::data {

namespace {

constexpr std::size_t kSorterBytes = std::size_t{16} << 20U;
constexpr std::size_t kFewInAllColumns = std::size_t{1} << 20U;
constexpr features::HashKey kKey = {0x6d696c6c72616365U, 0x6469666665726e74U};

}  // namespace

DistinctTexts::DistinctTexts(std::size_t columns, const storage::Scratch& scratch)
    : few_max_(std::clamp<std::size_t>(kFewInAllColumns / columns, 64, 32'768)),
      columns_(columns),
      sorter_(scratch, kSorterBytes / sizeof(Record)) {}

absl::Status DistinctTexts::Add(std::size_t column, const features::Texts& texts) {
  std::vector<Record> records;
  records.reserve(texts.size());
  for (const std::string_view text : texts) {
    records.push_back({.column = column, .text = features::SayText(kKey, text)});
  }
  {
    const std::lock_guard lock(mutex_);
    Column& seen = columns_[column];
    if (!seen.many) {
      for (const Record& record : records) {
        seen.few.emplace(record.text.rank, record.text.check);
      }
      if (seen.few.size() <= few_max_) {
        return absl::OkStatus();
      }
      seen.many = true;
      records.clear();
      for (const auto& [rank, check] : seen.few) {
        records.push_back({.column = column, .text = {.rank = rank, .check = check}});
      }
      seen.few = {};
    }
  }
  return sorter_.Add(records);
}

absl::StatusOr<std::vector<std::int64_t>> DistinctTexts::Count() {
  std::vector<std::int64_t> counts;
  for (const Column& column : columns_) {
    counts.push_back(static_cast<std::int64_t>(column.few.size()));
  }
  RETURN_IF_ERROR(sorter_.Finish());
  std::optional<Record> before;
  RETURN_IF_ERROR(sorter_.ForEach([&](const Record& record) {
    if (before != record) {
      ++counts[record.column];
      before = record;
    }
    return absl::OkStatus();
  }));
  return counts;
}

}  // namespace millrace::data
