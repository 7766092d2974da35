#include "services/data/pipeline/allocator.h"

#include <algorithm>
#include <thread>

#include <malloc.h>

#include "common/status/check.h"

namespace millrace::data {

void KeepFreedMemory() {
  constexpr int kMebibyte = 1 << 20;
  // Blocks and columns come from the heap, and the heap shrinks only when this much is free.
  CHECK(mallopt(M_MMAP_THRESHOLD, 32 * kMebibyte) == 1);
  CHECK(mallopt(M_TRIM_THRESHOLD, 128 * kMebibyte) == 1);
  // Each heap keeps its own, so no more of them than threads can run; the C library's is eight
  // each.
  CHECK(mallopt(M_ARENA_MAX, std::max(1, static_cast<int>(std::thread::hardware_concurrency()))) ==
        1);
}

}  // namespace millrace::data
