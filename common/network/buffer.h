// Buffer: floats on a cache line's boundary, so that no vector load crosses one needlessly.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

namespace millrace::network {

/// A fixed number of floats, zero at first. Moves, does not copy.
class Buffer {
 public:
  Buffer() = default;

  explicit Buffer(std::int64_t size)
      : size_(static_cast<std::size_t>(size)),
        floats_(static_cast<float*>(::operator new(size_ * sizeof(float), kAlignment))) {
    std::uninitialized_value_construct_n(floats_.get(), size_);
  }

  [[nodiscard]] float* data() { return floats_.get(); }

  [[nodiscard]] const float* data() const { return floats_.get(); }

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(size_); }

  [[nodiscard]] std::span<float> span() { return {floats_.get(), size_}; }

  [[nodiscard]] std::span<const float> span() const { return {floats_.get(), size_}; }

 private:
  static constexpr std::align_val_t kAlignment{64};

  struct Free {
    void operator()(float* floats) const { ::operator delete(floats, kAlignment); }
  };

  std::size_t size_ = 0;
  std::unique_ptr<float, Free> floats_;
};

}  // namespace millrace::network
