// Descriptor: a file descriptor that is closed with its owner.

#pragma once

#include <unistd.h>

namespace millrace::storage {

/// Owns a descriptor, or none (-1). Not thread-safe.
class Descriptor {
 public:
  Descriptor() = default;

  explicit Descriptor(int value) : value_(value) {}

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  ~Descriptor() { Reset(-1); }

  /// Closes what it has and owns `value` from then on.
  void Reset(int value) {
    if (value_ >= 0) {
      close(value_);
    }
    value_ = value;
  }

  [[nodiscard]] int get() const { return value_; }

 private:
  int value_ = -1;
};

}  // namespace millrace::storage
