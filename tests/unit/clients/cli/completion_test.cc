#include "clients/cli/completion.h"

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/clients/cli/command_test.h"

namespace millrace::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class CompletionTest : public CommandTest {
 protected:
  CompletionTest() {
    data_.list_datasets = [](const auto&, auto& response) {
      response.add_datasets()->set_name("datasets/iris/versions/2");
      response.add_datasets()->set_name("datasets/iris/versions/1");
      response.add_datasets()->set_name("datasets/wine/versions/1");
      return absl::OkStatus();
    };
    training_.list_runs = [](const auto&, auto& response) {
      response.add_runs()->set_name("runs/amber-owl");
      return absl::OkStatus();
    };
  }

  // What may stand in the place of the last word.
  std::string Complete(std::vector<std::string> words) {
    words.insert(words.begin(),
                 {"__complete",
                  "--",
                  "--data=" + addresses_.data,
                  "--training=" + addresses_.training,
                  "--serving=" + addresses_.serving});
    const CommandResult result = Command(words);
    EXPECT_EQ(result.exit, Exit::kDone) << result.err;
    EXPECT_EQ(result.err, "");
    return result.out;
  }
};

TEST_F(CompletionTest, NounsVerbsAndFlagsAreKnown) {
  EXPECT_EQ(Complete({"mod"}), "model\n");
  EXPECT_THAT(Complete({""}), HasSubstr("route\n"));
  EXPECT_THAT(Complete({""}), Not(HasSubstr("__complete")));
  EXPECT_EQ(Complete({"route", "r"}), "rollback\n");
  EXPECT_EQ(Complete({"dataset", "import", "--sc"}), "--scaling\n");
  EXPECT_EQ(Complete({"dataset", "ls", "--output", "j"}), "json\n");
}

TEST_F(CompletionTest, AValueMayStandBehindAnEqualsSign) {
  EXPECT_EQ(Complete({"dataset", "ls", "--output=j"}), "--output=json\n");
  EXPECT_EQ(Complete({"run", "start", "--dataset=w"}), "--dataset=wine\n--dataset=wine@1\n");
  EXPECT_EQ(Complete({"dataset", "import", "--name=a"}), "");
  EXPECT_EQ(Complete({"dataset", "ls", "--none=a"}), "");
  EXPECT_EQ(Complete({"dataset", "ls", "--output=json", "w"}), "wine\nwine@1\n");
  // As bash cuts them.
  EXPECT_EQ(Complete({"dataset", "ls", "--output", "=", "j"}), "json\n");
  EXPECT_THAT(Complete({"dataset", "ls", "--output", "="}), HasSubstr("table\nwide\n"));
}

TEST_F(CompletionTest, NamesComeFromTheServices) {
  EXPECT_EQ(Complete({"dataset", "show", ""}), "iris\niris@2\niris@1\nwine\nwine@1\n");
  EXPECT_EQ(Complete({"dataset", "show", "iris@"}), "iris@2\niris@1\n");
  EXPECT_EQ(Complete({"run", "watch", ""}), "amber-owl\n");
  EXPECT_EQ(Complete({"run", "start", "-f", "x.yaml", "--dataset", "w"}), "wine\nwine@1\n");
  EXPECT_EQ(Complete({"context", "use", ""}), "local\n");
}

TEST_F(CompletionTest, WhereAFileBelongsNothingIsSaid) {
  EXPECT_EQ(Complete({"dataset", "import", ""}), "");
  EXPECT_EQ(Complete({"run", "start", "-f", ""}), "");
}

TEST_F(CompletionTest, AServiceThatIsDownIsNoError) {
  StopServer(data_server_);
  EXPECT_EQ(Complete({"dataset", "show", ""}), "");
}

TEST_F(CompletionTest, EachShellHasItsScript) {
  for (const char* const shell : {"bash", "zsh", "fish"}) {
    EXPECT_THAT(Command({"completion", shell}).out, HasSubstr("millrace __complete -- "));
  }
}

}  // namespace
}  // namespace millrace::cli
