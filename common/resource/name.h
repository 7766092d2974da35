// Resource names: `datasets/{dataset}/versions/{version}`, `runs/{run}`, `models/{model}/versions/
// {version}`. The only place that takes them apart. A name that passes here is safe to print, to
// log and to compare; it is still never joined to a path.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace millrace {

/// Whether `id` matches [a-z0-9][a-z0-9_-]{0,62}.
bool IsValidId(std::string_view id);

/// A dataset or model with an optional version.
struct VersionedName {
  std::string id;            // matches IsValidId
  std::int32_t version = 0;  // from 1 up; 0: not said
  std::string sha256;        // 64 lower-case hexadecimal digits instead of a number, or empty
};

/// Parses `{collection}/{id}`, `{collection}/{id}/versions/{number}` or, for datasets,
/// `{collection}/{id}/versions/sha256:{digest}`. `collection` is "datasets" or "models"; `field` is
/// named in the error: INVALID_ARGUMENT with what was expected and found. A name that begins with
/// `projects/` is refused, as reserved.
absl::StatusOr<VersionedName> ParseVersionedName(std::string_view collection,
                                                 std::string_view field,
                                                 std::string_view name);

/// Parses `runs/{run}` and returns `{run}`.
absl::StatusOr<std::string> ParseRunName(std::string_view field, std::string_view name);

std::string VersionName(std::string_view collection, std::string_view id, std::int32_t version);
std::string CollectionName(std::string_view collection, std::string_view id);

}  // namespace millrace
