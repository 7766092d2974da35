#include "common/telemetry/log.h"

#include <sstream>
#include <string>
#include <vector>

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace millrace::log {
namespace {

using nlohmann::json;

// What `write` logged, a JSON object a line.
template <typename Write>
std::vector<json> LinesOf(const Write& write) {
  testing::internal::CaptureStderr();
  write();
  std::istringstream stream(testing::internal::GetCapturedStderr());
  std::vector<json> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(json::parse(line));
  }
  return lines;
}

TEST(LogTest, EveryLineSaysServiceLevelAndEvent) {
  const auto lines = LinesOf([] {
    Start("training");
    Info("run_queued", {{"run", "r-1"}});
    Warning("slow");
    Error("failed");
  });

  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["service"], "training");
  EXPECT_EQ(lines[0]["level"], "info");
  EXPECT_EQ(lines[0]["event"], "run_queued");
  EXPECT_EQ(lines[0]["run"], "r-1");
  EXPECT_EQ(lines[1]["level"], "warning");
  EXPECT_EQ(lines[2]["level"], "error");
}

TEST(LogTest, TheLevelDecidesWhatIsWritten) {
  const auto count = [](std::string_view level) {
    return LinesOf([level] {
             Start("data", level);
             Debug("a");
             Info("b");
             Warning("c");
             Error("d");
           })
        .size();
  };

  EXPECT_EQ(count("debug"), 4U);
  EXPECT_EQ(count("info"), 3U);
  EXPECT_EQ(count("warning"), 2U);
  EXPECT_EQ(count("error"), 1U);
  EXPECT_EQ(count("loud"), 3U) << "an unknown level is info";
}

TEST(LogTest, LibrariesUseTheSameDoorAtMostTenTimesASecond) {
  const auto lines = LinesOf([] {
    Start("data");
    GOOGLE_LOG(WARNING) << "from protobuf";
    for (int i = 0; i < 100; ++i) {
      gpr_log(GPR_ERROR, "from gRPC %d", i);
    }
  });

  // A second may begin while they are written, but no more than one: 100 lines take far less.
  ASSERT_GE(lines.size(), 10U);
  EXPECT_LE(lines.size(), 20U);
  EXPECT_EQ(lines[0]["event"], "library_message");
  EXPECT_EQ(lines[0]["library"], "protobuf");
  EXPECT_EQ(lines[0]["message"], "from protobuf");
  EXPECT_EQ(lines[0]["level"], "warning");
  EXPECT_EQ(lines[1]["library"], "grpc");
  EXPECT_EQ(lines[1]["message"], "from gRPC 0");
  EXPECT_EQ(lines[1]["level"], "error");
}

}  // namespace
}  // namespace millrace::log
