#include "services/data/clean/row_filter.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "common/features/row_hash.h"

namespace millrace::data {

namespace {

constexpr features::HashKey kKey = {0x6d696c6c72616365U, 0x6475706c69636174U};

void KeepCells(features::ColumnCells& cells, const std::vector<std::int64_t>& rows) {
  // Rows ascend, so that every cell moves to the front or stays.
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<std::size_t>(rows[i]);
    cells.valid[i] = cells.valid[row];
    if (!cells.numbers.empty()) {
      cells.numbers[i] = cells.numbers[row];
    }
    if (!cells.codes.empty()) {
      cells.codes[i] = cells.codes[row];
    }
  }
  cells.valid.resize(rows.size());
  cells.numbers.resize(cells.numbers.empty() ? 0 : rows.size());
  cells.codes.resize(cells.codes.empty() ? 0 : rows.size());
}

// Numbers the texts anew, in order of first appearance among the rows that are left.
void CompactDictionary(features::ColumnCells& cells) {
  constexpr std::int32_t kUnused = -1;
  std::vector<std::int32_t> new_code(cells.dictionary.size(), kUnused);
  std::vector<std::string> dictionary;
  for (std::size_t i = 0; i < cells.codes.size(); ++i) {
    if (cells.valid[i] == 0) {
      continue;
    }
    const auto code = static_cast<std::size_t>(cells.codes[i]);
    if (new_code[code] == kUnused) {
      new_code[code] = static_cast<std::int32_t>(dictionary.size());
      dictionary.push_back(std::move(cells.dictionary[code]));
    }
    cells.codes[i] = new_code[code];
  }
  cells.dictionary = std::move(dictionary);
}

}  // namespace

std::vector<std::int64_t> RepeatedRows(const features::Table& table,
                                       const std::vector<std::int64_t>& rows) {
  const std::vector<std::uint64_t> hashes = features::HashRows(table, kKey);
  const auto hash_of = [&hashes](std::int64_t row) {
    return hashes[static_cast<std::size_t>(row)];
  };
  std::vector<std::int64_t> by_hash = rows;
  std::sort(by_hash.begin(), by_hash.end(), [&](std::int64_t left, std::int64_t right) {
    return std::pair(hash_of(left), left) < std::pair(hash_of(right), right);
  });
  std::vector<std::int64_t> repeated;
  for (std::size_t i = 0; i < by_hash.size();) {
    std::vector<std::int64_t> different;  // rows of one hash: almost always a single one
    for (const std::uint64_t hash = hash_of(by_hash[i]);
         i < by_hash.size() && hash_of(by_hash[i]) == hash;
         ++i) {
      const std::int64_t row = by_hash[i];
      const bool repeats = std::any_of(different.begin(), different.end(), [&](std::int64_t first) {
        return features::SameRow(table, first, row);
      });
      (repeats ? repeated : different).push_back(row);
    }
  }
  std::sort(repeated.begin(), repeated.end());
  return repeated;
}

void KeepRows(features::Table& table, const std::vector<std::int64_t>& rows) {
  if (static_cast<std::int64_t>(rows.size()) == table.row_count()) {
    return;
  }
  for (features::ColumnCells& cells : table.columns) {
    KeepCells(cells, rows);
    if (!cells.dictionary.empty()) {
      CompactDictionary(cells);
    }
  }
}

}  // namespace millrace::data
