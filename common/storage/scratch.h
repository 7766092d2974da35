// Scratch: where temporary files may be made.

#pragma once

#include <string>

#include "common/storage/file_system.h"

namespace millrace::storage {

/// A folder that was prepared with PrepareFolder(). What is made in it is a StagedFile: it goes
/// with its owner, and what an end without warning leaves goes at the next start.
struct Scratch {
  FileSystem& files;
  std::string folder;
};

}  // namespace millrace::storage
