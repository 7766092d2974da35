#include "common/rpc/port_file.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace millrace::rpc {
namespace {

std::string Read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(PortFileTest, HoldsThePortAndReplacesAnOlderOne) {
  const std::string path = testing::TempDir() + "port_file_test." + std::to_string(getpid());

  ASSERT_TRUE(WritePortFile(path, 7603).ok());
  EXPECT_EQ(Read(path), "7603\n");
  ASSERT_TRUE(WritePortFile(path, 7604).ok());
  EXPECT_EQ(Read(path), "7604\n");

  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
  std::filesystem::remove(path);
}

TEST(PortFileTest, NoPathMeansNoFile) {
  EXPECT_TRUE(WritePortFile("", 7603).ok());
}

TEST(PortFileTest, AFolderThatIsNotThereIsAnError) {
  const std::string path = testing::TempDir() + "no-such-folder/port";
  EXPECT_EQ(WritePortFile(path, 7603).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace millrace::rpc
