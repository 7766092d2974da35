// WholeFile: a file as one string, for tests that look into one or spoil it.

#pragma once

#include <fstream>
#include <sstream>
#include <string>

namespace millrace::training {

inline std::string ReadAll(const std::string& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

inline void WriteAll(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace millrace::training
