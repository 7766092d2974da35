// DurableFile: a file that is there whole, as it was or as it shall be.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "common/storage/file_system.h"

namespace millrace::storage {

/// Makes or replaces `path` by the `parts`, one after the other. Whatever happens, there is what
/// was there before or all of it: it is written beside its place as `{random}.tmp`, synced, renamed
/// into it, and the folder synced. After an error either may be there, and a `.tmp` that
/// PrepareFolder() removes.
absl::Status WriteDurably(FileSystem& files,
                          const std::string& path,
                          std::initializer_list<std::string_view> parts);

/// Makes `to`, which must not be there, with the first `bytes_max` bytes of `from`, and syncs them.
/// The name is durable after SyncFolder() of its folder.
absl::Status CopyFile(FileSystem& files,
                      const std::string& from,
                      const std::string& to,
                      std::int64_t bytes_max = std::numeric_limits<std::int64_t>::max());

/// Makes `to`, which must not be there, a further name of the file `from`, whose bytes never
/// change; a copy where the disk has one name a file. On the real disk only.
absl::Status LinkFile(FileSystem& files, const std::string& from, const std::string& to);

/// The folder that holds `path`: "/" for "/a", "." for "a".
std::string ParentOf(const std::string& path);

}  // namespace millrace::storage
