// PageRoom: how much of a list fits into one answer.

#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace {

/// Room for so many items as were asked for, and for 1 MiB of them, so that the answer is a message
/// that every client takes by default (gRPC: 4 MiB). The first item always fits: it can be had by
/// its name, too. Not thread-safe.
class PageRoom {
 public:
  explicit PageRoom(std::int64_t items_max) : items_max_(items_max) {}

  /// Whether an item of so many bytes fits behind those before; counts it if so. Where it does not,
  /// the page ends.
  bool Take(std::size_t bytes) {
    constexpr std::size_t kBytesMax = std::size_t{1} << 20U;
    if (items_ == items_max_ || (items_ > 0 && bytes > kBytesMax - bytes_)) {
      return false;
    }
    ++items_;
    bytes_ = bytes < kBytesMax - bytes_ ? bytes_ + bytes : kBytesMax;
    return true;
  }

 private:
  const std::int64_t items_max_;
  std::int64_t items_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace millrace
