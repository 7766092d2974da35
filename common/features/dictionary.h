// Dictionary: the different texts of a column, numbered in order of first appearance.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/features/texts.h"

namespace millrace::features {

/// Not thread-safe. Keeps each text once.
class Dictionary {
 public:
  /// The number of `text`, which becomes the next one when it is new.
  std::int32_t Code(std::string_view text);

  [[nodiscard]] const Texts& texts() const { return texts_; }

  /// Gives the texts away; the dictionary is empty afterwards.
  Texts Release();

 private:
  // A place of the open-addressed table. The hash is kept, so that growing looks at no text and
  // most comparisons end early.
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t code = -1;  // -1: free
  };

  void Grow();

  Texts texts_;
  std::vector<Slot> slots_;  // a power of two of them, at most half in use
};

}  // namespace millrace::features
