// Profile: what was measured of each column, on a line of its own.

#pragma once

#include <string>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/schema/v1/schema.pb.h"
#include "millrace/schema/v1/statistics.pb.h"

#include "clients/cli/table.h"

namespace millrace::cli {

/// The type of the column of this name.
schema::v1::ColumnType TypeOf(const schema::v1::Schema& schema, const std::string& column);

/// Type, missing and different values, and the figures of numbers with their histogram or the most
/// frequent values. The wide form has quantiles too. A program gets all values that
/// are known.
std::string ProfileTable(const data::v1::DatasetVersion& version,
                         const schema::v1::Statistics& statistics,
                         TableStyle style,
                         bool utf8);

}  // namespace millrace::cli
