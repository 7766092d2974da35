// Completion in the three shells themselves, with names from real services.

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cli/process.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::integration {
namespace {

using std::chrono::seconds;
using testing::ElementsAreArray;

constexpr std::array kLines{"millrace dat",
                            "millrace dataset import --sc",
                            "millrace dataset ls --output ya",
                            "millrace run ls --output=ya",
                            "millrace dataset show roses@",
                            "millrace dataset import flow"};
constexpr std::array kCompleted{"dataset",
                                "--scaling",
                                "yaml",
                                "--output=yaml",
                                "roses@1",
                                "flowers.csv"};

class CompletionTest : public LocalServicesTest {
 protected:
  static void SetUpTestSuite() {
    StartServices({});
    Require(Import(clients().data(),
                   HeaderOf("roses", "roses.csv", ""),
                   "height,width\n1.5,2\n2.5,1\n3.5,0\n4.5,7\n")
                .status());
  }

  // A file for where one belongs, and one that begins as a value does and must not stand there.
  CompletionTest() {
    std::ofstream(folder_.path() + "/flowers.csv") << "a\n";
    std::ofstream(folder_.path() + "/yards.csv") << "a\n";
  }

  // The last word of each of kLines after tab was pressed behind it.
  [[nodiscard]] std::vector<std::string> LastWords(const std::string& shell) const {
    std::vector<std::string> words{"/usr/bin/env",
                                   "--chdir=" + folder_.path(),
                                   "--unset=MILLRACE_CONTEXT",
                                   "HOME=" + folder_.path(),
                                   "XDG_CONFIG_HOME=" + folder_.path(),
                                   fmt::format("PATH={}:/usr/bin:/bin", MILLRACE_PROGRAMS),
                                   "MILLRACE_DATA_ADDRESS=" + services().address(Service::kData)};
    if (shell == "fish") {
      words.insert(words.end(),
                   {"fish",
                    "--no-config",
                    "-c",
                    "millrace completion fish | source; for l in $argv; complete -C $l; end"});
    } else {
      words.insert(words.end(),
                   {"zsh", "-f", MILLRACE_SOURCE_DIR "/tests/integration/complete.zsh", shell});
    }
    words.insert(words.end(), kLines.begin(), kLines.end());
    const std::string log = folder_.path() + "/log";
    auto process = cli::Process::Start(words, log);
    Require(process.status());
    if (!process->WaitForEnd(seconds(60))) {
      process->Signal(SIGKILL);
    }
    std::vector<std::string> last;
    std::ifstream said(log);
    for (std::string line; std::getline(said, line);) {
      line.erase(line.find_last_not_of(" \r") + 1);  // a complete word is followed by a blank
      last.push_back(line.substr(line.rfind(' ') + 1));
    }
    return last;
  }

  storage::TemporaryFolder folder_;
};

TEST_F(CompletionTest, BashCompletesVerbsFlagsValuesNamesAndFiles) {
  EXPECT_THAT(LastWords("bash"), ElementsAreArray(kCompleted));
}

TEST_F(CompletionTest, ZshDoesTooAlsoWhereNothingElseHasCompletions) {
  EXPECT_THAT(LastWords("zsh"), ElementsAreArray(kCompleted));
}

TEST_F(CompletionTest, ZshDoesWithAFileOfFpathFromTheFirstTabOn) {
  EXPECT_THAT(LastWords("zsh-fpath"), ElementsAreArray(kCompleted));
}

TEST_F(CompletionTest, FishOffersTheSameAndNoFilesBesides) {
  EXPECT_THAT(LastWords("fish"), ElementsAreArray(kCompleted));
}

}  // namespace
}  // namespace millrace::integration
