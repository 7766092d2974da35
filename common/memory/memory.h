// Memory: how much of the machine's this process may use, and giving it back.

#pragma once

#include <cstdint>
#include <string>

namespace millrace {

/// Bytes of memory that this process may use: the machine's, or less where a cgroup around it
/// (`memory.max`, or version 1's `memory.limit_in_bytes`) or its own address space (RLIMIT_AS) is
/// bounded. Positive. Looks below `root`, where tests put files of their own; what cannot be read
/// bounds nothing.
std::int64_t MemoryBytesMax(const std::string& root = "");

/// Gives back to the system what is freed and the C library has kept. Takes a moment: call it when
/// the work is over (quiet_timer.h).
void GiveFreedMemory();

}  // namespace millrace
