// StagedText: a text as a StagedFile.

#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "services/data/import/staged_file.h"

namespace millrace::data {

/// Owns a copy of `text`.
inline StagedFile StagedText(std::string text) {
  const auto size = static_cast<std::int64_t>(text.size());
  return {.size = size,
          .read = [text = std::move(text)](std::int64_t offset,
                                           std::int64_t bytes) -> absl::StatusOr<std::string> {
            return text.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(bytes));
          }};
}

}  // namespace millrace::data
