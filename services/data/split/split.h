// Split: which rows the network is fitted on, watched with and measured by.

#pragma once

#include <absl/status/status.h>

#include "millrace/data/v1/data_service.pb.h"

#include "common/features/ranked_rows.h"
#include "common/features/row_groups.h"
#include "common/features/row_hash.h"

namespace millrace::data {

/// The key under which the rows are ranked: the options' split_seed.
features::HashKey RankKey(const v1::ImportOptions& options);

/// Takes the rows of each class (all rows, where `by_class` is false) that are not dropped in order
/// of their rank, a hash of what they say (features::SayRows), and cuts at the quotas, rounded to
/// the nearest row. Gives each its schema::v1::Split as its mark. So each split has its share of
/// every class, and a row's rank does not depend on where it stands in the file; rows that say the
/// same are ranked in their order.
///
/// A class with a row has one in train. Small classes may leave validation or test without one.
/// Requires: train_fraction in (0, 1], validation_fraction in [0, 1), together at most 1.
absl::Status AssignSplits(const features::RankedRows& ranked,
                          bool by_class,
                          const v1::ImportOptions& options,
                          features::RowMarks& marks);

}  // namespace millrace::data
