// BlobUses: which blobs a catalog needs, and for what.

#pragma once

#include <map>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "common/state/state.h"
#include "common/storage/database.h"

namespace millrace::state {

/// Digests of blobs, and the names of what uses each.
using BlobUses = std::map<std::string, std::vector<std::string>>;

/// What `catalog` names by the query of `layout`; nothing where it has no schema yet.
absl::StatusOr<BlobUses> UsesIn(storage::Database& catalog, const StateLayout& layout);

}  // namespace millrace::state
