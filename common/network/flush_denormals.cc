#include "common/network/flush_denormals.h"

#include <immintrin.h>

namespace millrace::network {

namespace {

constexpr unsigned kFlags = _MM_FLUSH_ZERO_ON | _MM_DENORMALS_ZERO_ON;

}  // namespace

// Not inline: the compiler moves arithmetic past a change of MXCSR, but not past a call.
FlushDenormals::FlushDenormals() : before_(_mm_getcsr()) {
  if ((before_ & kFlags) != kFlags) {
    _mm_setcsr(before_ | kFlags);
  }
}

FlushDenormals::~FlushDenormals() {
  if ((before_ & kFlags) != kFlags) {
    _mm_setcsr(before_);
  }
}

}  // namespace millrace::network
