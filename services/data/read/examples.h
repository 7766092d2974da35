// Examples: a dataset version in memory, ready to be encoded.

#pragma once

#include <cstdint>
#include <vector>

#include <absl/status/statusor.h>

#include "millrace/schema/v1/schema.pb.h"

#include "common/features/column_segments.h"
#include "common/features/table.h"
#include "common/features/transformer.h"
#include "services/data/read/read_budget.h"

namespace millrace::data {

/// The rows of a version, which of them are in which split, and how they become tensors. Shared by
/// readers and never changed.
struct Examples {
  features::Table table;
  features::Transformer transformer;
  std::vector<std::int64_t> train;  // rows of the table, ascending
  std::vector<std::int64_t> validation;
  std::vector<std::int64_t> test;
  ReadBudget::Share share = {};  // of their memory
};

/// Memory that the columns take in one piece, about, before they are read.
absl::StatusOr<std::int64_t> EstimateBytes(const features::ColumnSegments& rows);

/// Rows of a split; null for SPLIT_UNSPECIFIED and values that are none.
const std::vector<std::int64_t>* RowsOf(const Examples& examples, schema::v1::Split split);

/// Memory that the examples take, about.
std::int64_t SizeBytes(const Examples& examples);

}  // namespace millrace::data
