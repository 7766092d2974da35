// Sparkline: a histogram in a line of text.

#pragma once

#include <string>

#include <google/protobuf/repeated_field.h>

namespace millrace::cli {

/// Whether the terminal shows more than ASCII, by LC_ALL, LC_CTYPE and LANG, the first that is set.
bool SpeaksUtf8();

/// One character a bin, the higher the fuller; only an empty bin is blank. In ASCII when not
/// `utf8`.
std::string Sparkline(const google::protobuf::RepeatedField<std::int64_t>& bins, bool utf8);

}  // namespace millrace::cli
