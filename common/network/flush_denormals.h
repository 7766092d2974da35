// FlushDenormals: denormal numbers count as zero while one lives.

#pragma once

namespace millrace::network {

/// On its own thread, until it goes: operations read denormal floats and doubles as 0 and give 0
/// where the result would be one. Part of the numbers' contract (docs/design/0001-numbers.md), and
/// what keeps a step fast whose moments fade: some processors take a hundred cycles for each
/// denormal.
///
/// Around networks, losses and optimizers only; they make their own. Whoever calls them keeps the
/// mode that was there: encoding, statistics and foreign code see denormals as they are. May be
/// nested.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned before_;  // MXCSR
};

}  // namespace millrace::network
