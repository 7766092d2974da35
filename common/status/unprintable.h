// Unprintable: characters that steer a terminal or the direction of a text instead of being shown.

#pragma once

#include <cstddef>
#include <string_view>

namespace millrace {

/// The length of the character at the front of `text`, UTF-8, when it is a control (U+0000 to
/// U+001F, U+007F to U+009F), a line or paragraph separator, or a format character, such as the
/// marks that turn the direction of a text (U+202E); else 0. `text` is not empty.
std::size_t UnprintableBytes(std::string_view text);

/// Whether one stands in `text`.
bool HasUnprintable(std::string_view text);

}  // namespace millrace
