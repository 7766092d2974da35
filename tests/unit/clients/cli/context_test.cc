#include "clients/cli/context.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cli/context_file.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/common/security/certificate_maker.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

// Without the fake services' addresses, which are flags and would win.
class ContextTest : public CommandTest {
 protected:
  static CommandResult Do(const std::vector<std::string>& words) {
    std::ostringstream out;
    std::ostringstream err;
    Console console(out, err, /*live=*/false);
    const Exit exit = Perform(words, console, std::stop_token());
    return {.exit = exit, .out = out.str(), .err = err.str()};
  }

  // Adds a context of the fake services.
  CommandResult Add(const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"context",
                 "add",
                 name,
                 "--data=" + addresses_.data,
                 "--training=" + addresses_.training,
                 "--serving=" + addresses_.serving});
    return Do(more);
  }
};

TEST_F(ContextTest, AContextThatIsInUseLeadsToItsServices) {
  data_.list_datasets = [](const auto&, auto& response) {
    response.add_datasets()->set_name("datasets/iris/versions/1");
    return absl::OkStatus();
  };
  EXPECT_EQ(Add("lab").exit, Exit::kDone);
  EXPECT_EQ(Do({"context", "use", "lab"}).out, "context lab is in use\n");
  EXPECT_THAT(Do({"dataset", "ls"}).out, HasSubstr("iris@1"));
  EXPECT_EQ(Do({"dataset", "ls", "-oname"}).out, "datasets/iris/versions/1\n");
}

TEST_F(ContextTest, TheFileIsItsOwnersAlone) {
  EXPECT_EQ(Add("lab", {"--use"}).exit, Exit::kDone);
  EXPECT_EQ(fs::status(ContextPath()).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(ContextTest, AllAreListedWithTheBuiltInOne) {
  EXPECT_EQ(Add("lab").exit, Exit::kDone);
  EXPECT_EQ(Add("a-ward", {"--use"}).exit, Exit::kDone);
  EXPECT_EQ(Do({"context", "ls", "-oname"}).out, "a-ward\nlab\nlocal\n");
  EXPECT_THAT(Do({"context", "ls"}).out, HasSubstr("127.0.0.1:7603"));
  EXPECT_THAT(Do({"context", "ls"}).out, Not(HasSubstr("AUTHORITY")));
  EXPECT_THAT(Do({"context", "ls", "-owide"}).out, HasSubstr("AUTHORITY"));
  EXPECT_THAT(Do({"context", "ls", "-oyaml"}).out, HasSubstr("current: a-ward\n"));
}

TEST_F(ContextTest, WhatACommandWouldUseIsShown) {
  EXPECT_EQ(Add("lab").exit, Exit::kDone);
  EXPECT_THAT(Do({"context", "show"}).out, HasSubstr("127.0.0.1:7601"));
  EXPECT_THAT(Do({"context", "show", "lab"}).out, HasSubstr(addresses_.data));
  EXPECT_THAT(Do({"context", "show", "lba"}), FailsWith(Exit::kNotFound, "did you mean 'lab'?"));
}

TEST_F(ContextTest, OneThatIsForgottenIsNotInUse) {
  EXPECT_EQ(Add("lab", {"--use"}).exit, Exit::kDone);
  EXPECT_THAT(Do({"context", "rm", "lab"}).err, HasSubstr("now 'local' is in use"));
  EXPECT_EQ(Do({"context", "ls", "-oname"}).out, "local\n");
  EXPECT_THAT(Do({"context", "rm", "local"}), FailsWith(Exit::kUsage, "is built in"));
}

TEST_F(ContextTest, ANameIsAGoodOne) {
  EXPECT_THAT(Add("local"), FailsWith(Exit::kUsage, "and not 'local'"));
  EXPECT_THAT(Add("a b"), FailsWith(Exit::kUsage, "found 'a b'"));
}

TEST_F(ContextTest, WhatCannotBeUsedIsSaidWhenItIsAdded) {
  EXPECT_THAT(Add("lab", {"--ca", folder_.path() + "/none.pem"}),
              FailsWith(Exit::kNotFound, "none.pem"));
  const std::string token = security::WriteFile(folder_.path() + "/token", "secret");
  EXPECT_THAT(Do({"context", "add", "lab", "--data=example.org:1", "--token-file", token}),
              FailsWith(Exit::kInvalid, "plain text"));
  EXPECT_EQ(Do({"context", "ls", "-oname"}).out, "local\n");
}

}  // namespace
}  // namespace millrace::cli
