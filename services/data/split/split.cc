#include "services/data/split/split.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>

#include "millrace/schema/v1/schema.pb.h"

#include "common/features/row_hash.h"

namespace millrace::data {

namespace {

constexpr std::uint64_t kSplitKey = 0x6d696c6c2d73706cU;  // beside the seed; never changes

// Rows by class. The order of the groups is that of the labels' values.
std::vector<std::vector<std::int64_t>> GroupByClass(const features::Table& table) {
  std::map<double, std::vector<std::int64_t>> groups;
  const features::ColumnCells* label = nullptr;
  const bool classified = table.schema.task() == schema::v1::TASK_BINARY ||
                          table.schema.task() == schema::v1::TASK_MULTICLASS;
  for (int c = 0; classified && c < table.schema.columns_size(); ++c) {
    if (table.schema.columns(c).role() == schema::v1::COLUMN_ROLE_LABEL) {
      label = &table.columns[static_cast<std::size_t>(c)];
    }
  }
  for (std::int64_t row = 0; row < table.row_count(); ++row) {
    const auto i = static_cast<std::size_t>(row);
    double key = 0;
    if (label != nullptr) {
      key = label->codes.empty() ? label->numbers[i] : label->codes[i];
    }
    groups[key].push_back(row);
  }
  std::vector<std::vector<std::int64_t>> rows;
  rows.reserve(groups.size());
  for (auto& group : groups) {
    rows.push_back(std::move(group.second));
  }
  return rows;
}

// How many of `count` rows make the share, to the nearest row.
std::size_t Quota(std::size_t count, double share) {
  const double rows = std::round(static_cast<double>(count) * share);
  return std::min(count, static_cast<std::size_t>(rows));
}

}  // namespace

Splits AssignSplits(const features::Table& table, const v1::ImportOptions& options) {
  const features::HashKey key = {static_cast<std::uint64_t>(options.split_seed()), kSplitKey};
  const std::vector<std::uint64_t> hashes = features::HashRows(table, key);
  const double trained = options.train_fraction();
  const double seen = trained + options.validation_fraction();
  Splits splits;
  for (std::vector<std::int64_t>& rows : GroupByClass(table)) {
    std::sort(rows.begin(), rows.end(), [&hashes](std::int64_t left, std::int64_t right) {
      const std::uint64_t left_hash = hashes[static_cast<std::size_t>(left)];
      const std::uint64_t right_hash = hashes[static_cast<std::size_t>(right)];
      return left_hash != right_hash ? left_hash < right_hash : left < right;
    });
    const std::size_t train_end = std::max<std::size_t>(1, Quota(rows.size(), trained));
    const std::size_t validation_end = std::max(train_end, Quota(rows.size(), seen));
    const auto at = [&rows](std::size_t i) {
      return rows.begin() + static_cast<std::ptrdiff_t>(i);
    };
    splits.train.insert(splits.train.end(), rows.begin(), at(train_end));
    splits.validation.insert(splits.validation.end(), at(train_end), at(validation_end));
    splits.test.insert(splits.test.end(), at(validation_end), rows.end());
  }
  for (auto* rows : {&splits.train, &splits.validation, &splits.test}) {
    std::sort(rows->begin(), rows->end());
  }
  return splits;
}

}  // namespace millrace::data
