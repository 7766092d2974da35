// Allocations: how often this program asked for memory.

#pragma once

namespace millrace {

/// Calls of operator new since the start, of all threads. A program that links this has an operator
/// new of its own.
int AllocationCount();

}  // namespace millrace
