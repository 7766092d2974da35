// Wording: what a service says, in the words of the command line: flags for the fields of requests,
// words for the names of enums, names as people give them.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

namespace millrace::cli {

/// `status` as it is told to who typed `words`, which began with `command` ("dataset import").
/// Code and fix stay, the fix in the same words; what stands in quotes is the user's own and stays
/// as it is, but for names of things.
absl::Status InWordsOf(std::string_view command,
                       const std::vector<std::string>& words,
                       const absl::Status& status);

/// `text` with `COLUMN_TYPE_REAL` as `real`, and so on, outside of quotes.
std::string WithEnumWords(std::string_view text);

}  // namespace millrace::cli
