// RowCheck: whether so many rows may be asked for, and answered in one message.

#pragma once

#include <cstdint>

#include <absl/status/status.h>

#include "services/serving/rpc/serving_parts.h"

namespace millrace::serving {

/// INVALID_ARGUMENT for a count out of [1, parts.rows_max], and where the answer to so many rows
/// would be larger than a message may be.
absl::Status CheckRows(const Predictor& predictor, std::int64_t rows, const ServingParts& parts);

}  // namespace millrace::serving
