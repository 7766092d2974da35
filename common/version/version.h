// Version: which build of which release this program is.

#pragma once

#include <string_view>

namespace millrace {

/// The release, as `0.1.0`.
std::string_view Version();

/// Release and source revision, as `0.1.0+86bdf2811c0a`; `-dirty` follows where the sources had
/// been changed, and the revision is `unknown` where there was none.
std::string_view BuildName();

}  // namespace millrace
