// TemporaryFolder: an empty folder for one test.

#pragma once

#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace millrace::storage {

/// A folder named after the test and the process; removed with all that is in it when destroyed.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = testing::TempDir() + "/" + test->test_suite_name() + "." + test->name() + "." +
            std::to_string(getpid()) + "." + std::to_string(Next());
    std::filesystem::create_directories(path_);
  }

  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  static int Next() {
    static int count = 0;
    return ++count;
  }

  std::string path_;
};

}  // namespace millrace::storage
