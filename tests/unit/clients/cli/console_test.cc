#include "clients/cli/console.h"

#include <array>
#include <cstdlib>
#include <ios>
#include <limits>
#include <sstream>
#include <string>

#include <absl/status/status.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "millrace/model/v1/evaluation.pb.h"

#include "common/status/status.h"
#include "tests/unit/clients/cli/samples.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
using training::Fails;

TEST(ConsoleTest, DataGoesToOneStreamAndWordsToTheOther) {
  std::ostringstream out;
  std::ostringstream err;
  Console console(out, err, /*live=*/false);
  console.Print("data\n");
  console.Note("hint");
  console.Complain("error: x\nfix: y\n");
  EXPECT_EQ(out.str(), "data\n");
  EXPECT_EQ(err.str(), "hint\nerror: x\nfix: y\n");
}

TEST(ConsoleTest, NothingIsDrawnWhereNoTerminalIs) {
  std::ostringstream out;
  std::ostringstream err;
  Console console(out, err, /*live=*/false);
  console.Redraw("half way");
  console.Redraw({});
  EXPECT_EQ(err.str(), "");
}

TEST(ConsoleTest, ADrawnLineIsReplacedAndTakenAway) {
  std::ostringstream out;
  std::ostringstream err;
  Console console(out, err, /*live=*/true);
  console.Redraw("one");
  console.Redraw("two");
  EXPECT_EQ(err.str(), "\r\x1b[K\x1b[?7lone\x1b[?7h\r\x1b[K\x1b[?7ltwo\x1b[?7h");
  console.Note("hint");
  EXPECT_THAT(err.str(), testing::EndsWith("two\x1b[?7h\r\x1b[Khint\n"));
  console.Note("again");
  EXPECT_THAT(err.str(), testing::EndsWith("hint\nagain\n"));
}

TEST(ConsoleTest, DataTakesADrawnLineAwayFirst) {
  std::ostringstream both;  // as on a terminal
  Console console(both, both, /*live=*/true);
  console.Redraw("half way");
  console.Print("data\n");
  EXPECT_THAT(both.str(), testing::EndsWith("\r\x1b[Kdata\n"));
}

TEST(ConsoleTest, DataThatCannotBeWrittenIsAnError) {
  std::ostringstream out;
  std::ostringstream err;
  Console console(out, err, /*live=*/false);
  console.Print("data\n");
  EXPECT_TRUE(console.Written().ok());
  out.setstate(std::ios::badbit);
  EXPECT_THAT(console.Written(),
              Fails(absl::StatusCode::kUnknown, "standard output could not be written"));
}

TEST(ConsoleTest, APipeIsNoTerminal) {
  std::array<int, 2> ends{-1, -1};
  ASSERT_EQ(pipe(ends.data()), 0);
  EXPECT_FALSE(IsLive(ends[1]));
  close(ends[0]);
  close(ends[1]);
}

TEST(ConsoleTest, ATerminalIsLiveUnlessItIsDumb) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  const char* const before = std::getenv("TERM");
  const std::string saved = before == nullptr ? "" : before;
  setenv("TERM", "xterm", 1);
  EXPECT_TRUE(IsLive(terminal));
  setenv("TERM", "dumb", 1);
  EXPECT_FALSE(IsLive(terminal));
  unsetenv("TERM");
  EXPECT_FALSE(IsLive(terminal));
  if (before != nullptr) {
    setenv("TERM", saved.c_str(), 1);
  }
  close(terminal);
}

TEST(ToJsonTest, AMessageHasAllItsFields) {
  const auto json = nlohmann::json::parse(ToJson(training::v1::Run()), nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_EQ(json["name"], "");
  EXPECT_EQ(json["state"], "STATE_UNSPECIFIED");
}

TEST(ToJsonTest, OneLineIsOneLine) {
  const std::string json = ToJson(SampleRun(training::v1::Run::STATE_SUCCEEDED), true);
  EXPECT_EQ(json.find('\n'), json.size() - 1);
  EXPECT_FALSE(nlohmann::json::parse(json, nullptr, false).is_discarded());
  EXPECT_THAT(ToJson(SampleRun(training::v1::Run::STATE_SUCCEEDED)), HasSubstr("\n "));
}

TEST(ToJsonTest, NumbersThatJsonLacksAreStrings) {
  model::v1::Evaluation evaluation;
  evaluation.set_loss(std::numeric_limits<double>::quiet_NaN());
  const auto json = nlohmann::json::parse(ToJson(evaluation), nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_EQ(json["loss"], "NaN");
}

TEST(ToJsonTest, ATextIsQuotedAndEscaped) {
  const std::string text = "a \"b\"\\\n\x1b é";
  const std::string json = ToJson(std::string_view(text));
  EXPECT_THAT(json, Not(HasSubstr("\n")));
  EXPECT_EQ(nlohmann::json::parse(json, nullptr, false), nlohmann::json(text));
}

}  // namespace
}  // namespace millrace::cli
