// CHECK: promises that our own code makes to itself.

#pragma once

#include <cstdio>
#include <cstdlib>

/// Ends the process when `condition` does not hold: a bug of ours, never user input. Stays on in
/// release builds, since going on with a broken promise is worse than stopping.
#define CHECK(condition)                                                                   \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      std::fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                        \
    }                                                                                      \
  } while (false)
