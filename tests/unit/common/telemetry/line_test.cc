#include "common/telemetry/line.h"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace millrace::log {
namespace {

// 2026-01-02T03:04:05.006Z
constexpr std::chrono::system_clock::time_point kTime{std::chrono::milliseconds(1'767'323'045'006)};

Line LineOf(std::string_view event, const std::vector<Field>& fields) {
  return {.time = kTime, .level = "info", .service = "data", .event = event, .fields = fields};
}

TEST(LineTest, JsonHasTimeLevelServiceEventAndFieldsInOrder) {
  const std::vector<Field> fields = {{"rows", "150"}, {"name", "iris"}};

  EXPECT_EQ(JsonLine(LineOf("dataset_imported", fields)),
            R"({"time":"2026-01-02T03:04:05.006Z","level":"info","service":"data",)"
            R"("event":"dataset_imported","rows":"150","name":"iris"})");
}

TEST(LineTest, JsonStaysOneLineWhateverTheValue) {
  const std::string value = std::string("a\"b\\c\nd\x01") + "\xff" + std::string(1, '\0');
  const std::vector<Field> fields = {{"value", value}};

  const std::string line = JsonLine(LineOf("event", fields));

  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(line)["value"],
            std::string("a\"b\\c\nd\x01\xEF\xBF\xBD") + std::string(1, '\0'));
}

TEST(LineTest, ValuesAreCutTo256BytesBetweenCharacters) {
  std::string umlauts = "x";
  for (int i = 0; i < 200; ++i) {
    umlauts += "\xC3\xA4";
  }
  const std::vector<Field> fields = {
      {"exact", std::string(256, 'a')}, {"over", std::string(257, 'a')}, {"umlauts", umlauts}};

  const auto json = nlohmann::json::parse(JsonLine(LineOf("event", fields)));

  EXPECT_EQ(json["exact"], std::string(256, 'a'));
  EXPECT_EQ(json["over"], std::string(256, 'a') + "...");
  EXPECT_EQ(json["umlauts"], umlauts.substr(0, 255) + "...");
}

TEST(LineTest, AFieldCannotReplaceWhatStandsInEveryLine) {
  const std::vector<Field> fields = {{"level", "none"}, {"service", "forged"}};

  const auto json = nlohmann::json::parse(JsonLine(LineOf("event", fields)));

  EXPECT_EQ(json["level"], "info");
  EXPECT_EQ(json["service"], "data");
}

TEST(LineTest, TheTerminalSeesShortLinesAndNoCommands) {
  const std::vector<Field> fields = {
      {"rows", "150"}, {"text", "two words"}, {"bad", "\x1b[2J"}, {"none", ""}};

  EXPECT_EQ(TerminalLine(LineOf("dataset imported", fields)),
            R"(03:04:05 info dataset imported rows=150 text="two words" bad="\u001b[2J" none="")");
  EXPECT_EQ(TerminalLine(LineOf("a\nb", {})), R"(03:04:05 info "a\nb")");
}

}  // namespace
}  // namespace millrace::log
