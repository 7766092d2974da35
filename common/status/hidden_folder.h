// Hidden folder: where a service keeps its files is nobody's business but its operator's.

#pragma once

#include <string>
#include <string_view>

namespace millrace {

/// From now on answers (grpc_status.h) say "a file of the service" for each path in `folder`, which
/// holds names that are secrets too, such as those of uploads. Once a process, before it serves;
/// logs still have the paths.
void HideFolder(const std::string& folder);

/// `text` as an answer may have it.
std::string WithoutHiddenPaths(std::string_view text);

}  // namespace millrace
