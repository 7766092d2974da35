// Split: which rows the network is fitted on, watched with and measured by.

#pragma once

#include <cstdint>
#include <vector>

#include "millrace/data/v1/data_service.pb.h"

#include "common/features/table.h"

namespace millrace::data {

/// Rows of a table, ascending; each row is in exactly one.
struct Splits {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;
  std::vector<std::int64_t> test;
};

/// Ranks the rows of each class (all rows, where there are no classes) by a hash of what they say,
/// SipHash-2-4 keyed by the options' split_seed (features::HashRows), and cuts at the quotas,
/// rounded to the nearest row. So each split has its share of every class, and a row's rank does
/// not depend on where it stands in the file; rows that say the same are ranked in their order.
///
/// A class with a row has one in train. Small classes may leave validation or test without one.
/// Requires: train_fraction in (0, 1], validation_fraction in [0, 1), together at most 1.
Splits AssignSplits(const features::Table& table, const v1::ImportOptions& options);

}  // namespace millrace::data
