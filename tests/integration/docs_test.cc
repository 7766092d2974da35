// The commands of README.md and docs/cli.md, run as they are written; what they print is held
// against the page, digits aside.

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/common/security/certificate_maker.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::integration {
namespace {

// A command and, where the page shows it, what it prints.
struct Shown {
  std::string command;
  std::string output;
  bool has_output = false;
};

// One block of a page between fences.
using Block = std::vector<Shown>;

// Whether a line of a block goes on with the next one.
bool GoesOn(const std::string& line) {
  return line.ends_with('\\');
}

Block ParseBlock(const std::vector<std::string>& lines) {
  Block block;
  bool open = false;  // the last command goes on
  for (const std::string& line : lines) {
    const bool shown = line.starts_with("$ ");
    const bool command = shown || line.starts_with("millrace ") || line.starts_with("source ");
    if (open) {
      block.back().command += "\n" + line;
      open = GoesOn(line);
    } else if (command) {
      block.push_back(
          {.command = shown ? line.substr(2) : line, .output = {}, .has_output = shown});
      open = GoesOn(line);
    } else if (!block.empty() && block.back().has_output) {
      block.back().output += line + "\n";
    }
  }
  return block;
}

// The blocks with commands of a page, up to `end`: what follows is made by the program.
std::vector<Block> BlocksOf(const std::string& page, const std::string& end) {
  std::ifstream file(std::string(MILLRACE_SOURCE_DIR "/") + page);
  EXPECT_TRUE(file) << page;
  std::vector<Block> blocks;
  std::vector<std::string> lines;
  bool inside = false;
  for (std::string line; std::getline(file, line) && line != end;) {
    if (!line.starts_with("```")) {
      lines.push_back(line);
      continue;
    }
    if (Block block = ParseBlock(lines); inside && !block.empty()) {
      blocks.push_back(std::move(block));
    }
    inside = !inside;
    lines.clear();
  }
  return blocks;
}

// Digits, digests and the blanks that depend on them, as one sign each.
std::string Masked(const std::string& text) {
  const std::string digests = std::regex_replace(text, std::regex("\\b[0-9a-f]{12,}\\b"), "#");
  const std::string digits = std::regex_replace(digests, std::regex("[0-9]+"), "#");
  return std::regex_replace(digits, std::regex(" +"), " ");
}

struct Ran {
  int exit_code = -1;
  std::string output;  // and errors
};

// A shell in the repository's folder for which the programs are those of this build and the stack
// is one of its own, on free ports.
class DocsTest : public testing::Test {  // NOLINT(cppcoreguidelines-virtual-class-destructor)
 protected:
  DocsTest() {
    Set("XDG_STATE_HOME", folder_.path() + "/state");
    Set("XDG_CONFIG_HOME", folder_.path() + "/config");
    Set("HOME", folder_.path());
    std::ofstream(folder_.path() + "/.lab-ca.pem") << security::CertificateMaker().authority();
    std::ofstream(folder_.path() + "/.lab-token") << "token-of-the-lab\n";
    Set("PATH", fmt::format("{}:{}", MILLRACE_PROGRAMS, std::getenv("PATH")));
  }

  ~DocsTest() override { Run("millrace down"); }

  void Set(const std::string& name, const std::string& value) {
    environment_ += fmt::format("export {}='{}'\n", name, value);
  }

  Ran Run(const std::string& command) {
    const std::string script = folder_.path() + "/script";
    std::ofstream(script) << environment_ << "cd '" MILLRACE_SOURCE_DIR "'\n" << command << "\n";
    Ran ran;
    std::FILE* const pipe = popen(fmt::format("bash '{}' 2>&1", script).c_str(), "r");
    std::array<char, 4096> buffer{};
    while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) {
      ran.output += buffer.data();
    }
    const int status = pclose(pipe);
    ran.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    return ran;
  }

  // `millrace up`, on free ports that the commands behind it know.
  void Up() {
    const std::string file = folder_.path() + "/up.json";
    const Ran ran =
        Run(fmt::format("millrace up --detach --data 127.0.0.1:0 --training 127.0.0.1:0 --serving "
                        "127.0.0.1:0 -o json > '{}'",
                        file));
    ASSERT_EQ(ran.exit_code, 0) << ran.output;
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    const nlohmann::json json = nlohmann::json::parse(text.str());
    Set("MILLRACE_DATA_ADDRESS", json["data"]["address"]);
    Set("MILLRACE_TRAINING_ADDRESS", json["training"]["address"]);
    Set("MILLRACE_SERVING_ADDRESS", json["serving"]["address"]);
  }

  void RunAsShown(const Shown& shown) {
    if (shown.command.starts_with("millrace up")) {
      Up();
      return;
    }
    if (shown.command.find("fish") != std::string::npos) {
      return;  // of a shell that need not be here; integration/completion_test.cc has it
    }
    const Ran ran = Run(shown.command);
    if (shown.has_output) {
      EXPECT_EQ(Masked(ran.output), Masked(shown.output)) << shown.command;
    } else {
      EXPECT_EQ(ran.exit_code, 0) << shown.command << "\n" << ran.output;
    }
  }

  storage::TemporaryFolder folder_;
  std::string environment_;
};

TEST_F(DocsTest, TheTourOfTheReadmeWorksAsItIsWritten) {
  int commands = 0;
  for (const Block& block : BlocksOf("README.md", "## What it promises")) {
    for (const Shown& shown : block) {
      RunAsShown(shown);
      ++commands;
    }
  }
  EXPECT_GE(commands, 13);
}

TEST_F(DocsTest, TheCommandsPageWorksAsItIsWritten) {
  Up();
  ASSERT_EQ(Run("millrace pipeline apply -f deploy/examples/iris.yaml").exit_code, 0);
  int shown_outputs = 0;
  for (const Block& block : BlocksOf("docs/cli.md", "## Every command")) {
    for (const Shown& shown : block) {
      RunAsShown(shown);
      shown_outputs += shown.has_output ? 1 : 0;
    }
  }
  EXPECT_GE(shown_outputs, 2);
}

TEST_F(DocsTest, ASecondApplyMakesNoSecondVersion) {
  Up();
  const std::string apply = "millrace pipeline apply -f deploy/examples/iris.yaml";
  ASSERT_EQ(Run(apply).exit_code, 0);
  const Ran again = Run(apply);
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_NE(again.output.find("unchanged: iris@1 was trained by this spec on iris@1"),
            std::string::npos)
      << again.output;
  EXPECT_EQ(Run("millrace model ls iris -o name").output, "models/iris/versions/1\n");
}

TEST_F(DocsTest, ADefaultSpecTrainsEachTaskAndADryRunNothing) {
  Up();
  const std::string import = "millrace dataset import tests/data/iris.csv --name ";
  ASSERT_EQ(Run(import + "flowers --label species").exit_code, 0);
  ASSERT_EQ(Run(import + "widths --label 'petal width (cm)'").exit_code, 0);
  for (const std::string name : {"flowers", "widths"}) {
    const Ran dry = Run("millrace run start --dry-run --dataset " + name);
    EXPECT_EQ(dry.exit_code, 0) << dry.output;
    EXPECT_EQ(Run("millrace model ls -o name | grep " + name).output, "");
    const Ran ran = Run("millrace run start --dataset " + name);
    EXPECT_EQ(ran.exit_code, 0) << ran.output;
    EXPECT_EQ(Run("millrace model ls -o name " + name).output,
              fmt::format("models/{}/versions/1\n", name));
  }
  const Ran unfit =
      Run("millrace run start --dry-run --dataset flowers -f deploy/examples/training.yaml");
  EXPECT_EQ(unfit.exit_code, 5) << unfit.output;
  EXPECT_EQ(Run("millrace run start --dry-run --dataset flower").exit_code, 3);
}

TEST_F(DocsTest, AnswersDoNotTakeThePlaceOfWhatModelsLearnFrom) {
  Up();
  ASSERT_EQ(Run("millrace pipeline apply -f deploy/examples/iris.yaml").exit_code, 0);
  ASSERT_EQ(Run("millrace dataset import tests/data/iris.csv --name plants").exit_code, 0);
  const Ran refused = Run("millrace predict iris --dataset plants --into iris");
  EXPECT_EQ(refused.exit_code, 5);
  EXPECT_NE(refused.output.find("a dataset that models are trained on"), std::string::npos)
      << refused.output;
  EXPECT_EQ(Run("millrace predict iris --dataset plants --into plants").exit_code, 5);
  for (int i = 0; i < 2; ++i) {
    const Ran taken = Run("millrace predict iris --dataset plants --into answers");
    EXPECT_EQ(taken.exit_code, 0) << taken.output;
  }
}

}  // namespace
}  // namespace millrace::integration
