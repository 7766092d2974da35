// Profile: what a file says about itself before anything is done to it.

#pragma once

#include "millrace/schema/v1/statistics.pb.h"

#include "common/features/table.h"

namespace millrace::data {

/// The raw Statistics: every row and every column of the file as it came.
schema::v1::Statistics Profile(const features::Table& table);

}  // namespace millrace::data
