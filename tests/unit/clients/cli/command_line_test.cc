#include "clients/cli/command_line.h"

#include <cstdlib>
#include <fstream>
#include <ios>
#include <sstream>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using training::Fails;

// Parsing alone: no service is there.
CommandResult Do(const std::vector<std::string>& words) {
  std::ostringstream out;
  std::ostringstream err;
  Console console(out, err, /*live=*/false);
  const Exit exit = Perform(words, console, std::stop_token());
  return {.exit = exit, .out = out.str(), .err = err.str()};
}

TEST(CommandLineTest, TheFormatMayStandAnywhere) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"-o", "json", "version"}, {"version", "-ojson"}, {"version", "--output=json"}}) {
    const auto line = ParseCommandLine(words);
    ASSERT_TRUE(line.ok()) << line.status();
    EXPECT_EQ(line->format, Format::kJson);
  }
  const auto line = ParseCommandLine({"version"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->format, Format::kTable);
}

TEST(CommandLineTest, AnUnknownFormatNamesTheKnownOnes) {
  const auto line = ParseCommandLine({"version", "-oxml"});
  EXPECT_THAT(line, Fails(absl::StatusCode::kInvalidArgument, "--output: xml not in"));
  EXPECT_EQ(ExitFor(line.status(), false), Exit::kUsage);
}

TEST(CommandLineTest, AnAddressHasAHostAndAPort) {
  for (const char* const address : {"", "host", ":7601", "host:"}) {
    const auto line = ParseCommandLine({"run", "ls", "--data-address", address});
    EXPECT_THAT(line, Fails(absl::StatusCode::kInvalidArgument, "must be host:port, found"));
  }
}

TEST(CommandLineTest, WordsThatAreAlmostRightNameTheRightOne) {
  EXPECT_THAT(Do({"datset", "ls"}), FailsWith(Exit::kUsage, "fix: did you mean 'dataset'?"));
  EXPECT_THAT(Do({"dataset", "lss"}), FailsWith(Exit::kUsage, "fix: did you mean 'ls'?"));
  EXPECT_THAT(Do({"dataset", "--limt=3", "ls"}),
              FailsWith(Exit::kUsage, "fix: did you mean '--limit'?"));
  EXPECT_THAT(Do({"run", "ls", "--serving-adress=x:1"}),
              FailsWith(Exit::kUsage, "fix: did you mean '--serving-address'?"));
}

TEST(CommandLineTest, WordsLikeNoOtherNameTheHelp) {
  EXPECT_THAT(Do({"frobnicate"}),
              FailsWith(Exit::kUsage, "fix: 'millrace --help' lists what there is"));
  EXPECT_THAT(Do({"run", "frobnicate"}),
              FailsWith(Exit::kUsage, "error: millrace run has no command 'frobnicate'"));
  EXPECT_THAT(Do({"run", "--frobnicate", "3"}),
              FailsWith(Exit::kUsage, "error: millrace run has no flag '--frobnicate'"));
  EXPECT_THAT(Do({"version", "extra"}),
              FailsWith(Exit::kUsage, "takes no further word, found 'extra'"));
  EXPECT_THAT(Do({"dataset", "show", "my", "data"}),
              FailsWith(Exit::kUsage, "quote what has blanks"));
}

TEST(CommandLineTest, WithoutANounOrAVerbTheyAreListed) {
  EXPECT_THAT(
      Do({"-ojson"}),
      FailsWith(Exit::kUsage,
                "needs one of: up, down, dataset, run, model, upload, route, predict, pipeline, "
                "context, doctor, completion, version"));
  EXPECT_THAT(Do({"run"}),
              FailsWith(Exit::kUsage, "needs one of: start, ls, show, watch, cancel, publish, rm"));
  EXPECT_THAT(Do({"dataset"}),
              FailsWith(Exit::kUsage, "needs one of: import, ls, show, profile, rm"));
  EXPECT_THAT(Do({"model"}), FailsWith(Exit::kUsage, "needs one of: ls, show, upload, rm"));
  EXPECT_THAT(Do({"pipeline"}), FailsWith(Exit::kUsage, "needs one of: apply"));
}

TEST(CommandLineTest, ReflexesOfOtherProgramsLeadSomewhere) {
  EXPECT_EQ(Do({}).out, Do({"--help"}).out);
  EXPECT_EQ(Do({}).exit, Exit::kDone);
  EXPECT_EQ(Do({"help"}).out, Do({"--help"}).out);
  EXPECT_EQ(Do({"help", "run", "start"}).out, Do({"run", "start", "--help"}).out);
  EXPECT_EQ(Do({"--version", "-oname"}).out, Do({"version", "-oname"}).out);
  EXPECT_TRUE(ParseCommandLine({"dataset", "list"}).ok());
  EXPECT_TRUE(ParseCommandLine({"run", "list", "--limit=3"}).ok());
  EXPECT_THAT(Do({"train"}),
              FailsWith(Exit::kUsage, "fix: 'millrace run start --dataset NAME' trains"));
  EXPECT_THAT(Do({"train", "iris.csv"}), FailsWith(Exit::kUsage, "fix: 'millrace run start"));
  EXPECT_THAT(Do({"list"}), FailsWith(Exit::kUsage, "fix: 'millrace dataset ls'"));
  EXPECT_THAT(Do({"dataset", "delete", "x"}),
              FailsWith(Exit::kUsage, "fix: 'millrace dataset rm' does"));
}

TEST(CommandLineTest, AThingMayBeCalledLikeAVerb) {
  EXPECT_TRUE(ParseCommandLine({"dataset", "show", "ls"}).ok());
  EXPECT_TRUE(ParseCommandLine({"run", "show", "run"}).ok());
  EXPECT_TRUE(ParseCommandLine({"predict", "version", "up=1"}).ok());
}

TEST(CommandLineTest, ANumberIsInItsRange) {
  EXPECT_THAT(Do({"run", "ls", "--limit=0"}),
              FailsWith(Exit::kUsage, "--limit: must be in [1, 1000000], found '0'"));
  EXPECT_THAT(Do({"run", "ls", "--limit=many"}), FailsWith(Exit::kUsage, "--limit"));
  EXPECT_TRUE(ParseCommandLine({"run", "ls", "--limit=1000000"}).ok());
}

TEST(CommandLineTest, AFlagTakesAnEmptyValueAndNotTheNextWord) {
  EXPECT_THAT(Do({"dataset", "ls", "--limit=", "iris"}), FailsWith(Exit::kUsage, "--limit"));
}

TEST(CommandLineTest, BehindTwoDashesNothingIsAFlag) {
  EXPECT_TRUE(ParseCommandLine({"dataset", "show", "--", "--help"}).ok());
  EXPECT_THAT(Do({"version", "--", "-x="}),
              FailsWith(Exit::kUsage, "takes no further word, found '-x='"));
}

TEST(CommandLineTest, WordsAreUtf8) {
  EXPECT_THAT(Do({"dataset", "show", "a\xff"}),
              FailsWith(Exit::kUsage, "words must be UTF-8, found another byte behind 'a'"));
  EXPECT_TRUE(ParseCommandLine({"dataset", "show", "größe"}).ok());
}

TEST(CommandLineTest, HelpIsOfWhatItStandsBehind) {
  const CommandResult root = Do({"--help"});
  EXPECT_EQ(root.exit, Exit::kDone);
  EXPECT_EQ(root.err, "");
  EXPECT_THAT(root.out, HasSubstr("Usage: millrace [OPTIONS] [SUBCOMMAND]"));
  EXPECT_THAT(root.out, HasSubstr("MILLRACE_SERVING_ADDRESS"));
  EXPECT_THAT(Do({"run", "-h"}).out, HasSubstr("Usage: millrace run [OPTIONS] [SUBCOMMAND]"));
  const std::string verb = Do({"run", "start", "--help"}).out;
  EXPECT_THAT(verb,
              StartsWith("train a model and follow it\nUsage: millrace run start [OPTIONS]\n"));
  EXPECT_THAT(verb, HasSubstr("Every command takes the flags of 'millrace --help' too."));
}

TEST(CommandLineTest, DataThatCannotBeWrittenFailsTheCommand) {
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  Console console(out, err, /*live=*/false);
  EXPECT_EQ(Perform({"version", "-oname"}, console, std::stop_token()), Exit::kFailed);
  EXPECT_THAT(err.str(), HasSubstr("standard output could not be written"));
}

constexpr const char* kPagePath = MILLRACE_SOURCE_DIR "/docs/cli.md";
constexpr const char* kHeading = "## Every command\n";

std::string Reference() {
  std::string text = kHeading;
  for (const HelpPage& page : HelpPages()) {
    text += fmt::format("\n### {}\n\n```\n{}```\n", page.command, page.text);
  }
  return text;
}

// MILLRACE_WRITE_DOCS=1 writes it instead.
TEST(CommandLineTest, TheReferenceIsTheProgramsOwnHelp) {
  std::ostringstream page;
  page << std::ifstream(kPagePath).rdbuf();
  const std::string text = page.str();
  const std::size_t heading = text.find(kHeading);
  ASSERT_NE(heading, std::string::npos) << kPagePath;
  if (std::getenv("MILLRACE_WRITE_DOCS") != nullptr) {
    std::ofstream(kPagePath) << text.substr(0, heading) << Reference();
    return;
  }
  EXPECT_EQ(text.substr(heading), Reference());
}

// Newer CLI11 (Debian 13) ends the program at its start for a name with another character.
TEST(CommandLineTest, EveryReleaseOfCli11TakesThePositionalNames) {
  for (const HelpPage& page : HelpPages()) {
    const std::size_t start = page.text.find("Usage: ");
    ASSERT_NE(start, std::string::npos) << page.command;
    const std::string usage = page.text.substr(start, page.text.find('\n', start) - start);
    const std::string names = usage.substr(std::string_view("Usage:").size());
    EXPECT_EQ(names.find_first_of("=:{!"), std::string::npos) << usage;
  }
}

using InterruptedCommandTest = CommandTest;

TEST_F(InterruptedCommandTest, AnInterruptedCommandSaysSoAndNoMore) {
  stop_.request_stop();
  const CommandResult result = Command({"dataset", "ls"});
  EXPECT_EQ(result.exit, Exit::kInterrupted);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "interrupted\n");
}

}  // namespace
}  // namespace millrace::cli
