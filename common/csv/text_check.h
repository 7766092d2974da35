// TextCheck: whether bytes are text, that is strict UTF-8 without NUL.

#pragma once

#include <cstddef>
#include <string_view>

namespace millrace::csv {

struct TextCheck {
  enum class End {
    kAll,      // every byte is text
    kCut,      // the last character ends beyond the bytes
    kNul,      // a NUL byte
    kInvalid,  // no UTF-8: stray or overlong sequences, surrogates, above U+10FFFF
  };

  std::size_t valid_bytes = 0;  // how many bytes from the front are whole characters of text
  End end = End::kAll;          // what comes after them
};

/// Reads ASCII eight bytes at a time.
TextCheck CheckText(std::string_view bytes);

}  // namespace millrace::csv
