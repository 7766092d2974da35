// Allocations: how many times this program asked for memory.

#pragma once

namespace millrace::features {

/// Calls of operator new since the program began. Thread-safe.
int Allocations();

}  // namespace millrace::features
