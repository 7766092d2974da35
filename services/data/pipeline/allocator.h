// Allocator: how the process keeps memory that is freed.

#pragma once

namespace millrace::data {

/// Makes the C library keep what is freed instead of giving it back to the system at once. An
/// import takes and frees blocks and columns of some megabytes all the time; given back, each is
/// cleared by the kernel, page by page, when it is taken again: an eighth of the processor's time
/// for 25 MB that are not kept. Call first in main(); for the whole process.
void KeepFreedMemory();

}  // namespace millrace::data
