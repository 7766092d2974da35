// Buffer: floats on a cache line's boundary, so that no vector load crosses one needlessly.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

#include <sys/mman.h>

namespace millrace::network {

/// A fixed number of floats, zero at first. Moves, does not copy.
class Buffer {
 public:
  Buffer() = default;

  explicit Buffer(std::int64_t size) : size_(static_cast<std::size_t>(size)) {
    const std::size_t bytes = size_ * sizeof(float);
    const std::size_t alignment = bytes < kHugePage ? kCacheLine : kHugePage;
    void* memory = ::operator new (bytes, std::align_val_t{alignment});
    floats_ = std::unique_ptr<float, Free>(static_cast<float*>(memory), Free{alignment});
    if (alignment == kHugePage) {
      // Products read columns of large matrices; with small pages each row would be another one.
      // Only a wish: where the system does not grant it, all is as before.
      static_cast<void>(::madvise(memory, bytes, MADV_HUGEPAGE));
    }
    std::uninitialized_value_construct_n(floats_.get(), size_);
  }

  [[nodiscard]] float* data() { return floats_.get(); }

  [[nodiscard]] const float* data() const { return floats_.get(); }

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(size_); }

  [[nodiscard]] std::span<float> span() { return {floats_.get(), size_}; }

  [[nodiscard]] std::span<const float> span() const { return {floats_.get(), size_}; }

 private:
  static constexpr std::size_t kCacheLine = 64;
  static constexpr std::size_t kHugePage = std::size_t{2} << 20U;

  struct Free {
    std::size_t alignment;

    void operator()(float* floats) const {
      ::operator delete (floats, std::align_val_t{alignment});
    }
  };

  std::size_t size_ = 0;
  std::unique_ptr<float, Free> floats_;
};

}  // namespace millrace::network
