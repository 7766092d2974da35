#include "clients/cli/resource_names.h"

#include <string>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"

namespace millrace::cli {
namespace {

class ResourceNamesTest : public CommandTest {
 protected:
  ResourceNamesTest() {
    serving_.list_models = [](const auto&, auto& response) {
      response.add_models()->set_name("models/triage/versions/1");
      return absl::OkStatus();
    };
    serving_.get_model = [](const auto& request, auto&) {
      return WithFix(NotFound("there is no model '{}'", request.name()), "ListModels has them");
    };
  }
};

TEST_F(ResourceNamesTest, ANameThatIsAlmostRightIsGuessed) {
  EXPECT_THAT(Command({"model", "show", "traige"}),
              FailsWith(Exit::kNotFound, "fix: did you mean 'triage'?"));
  EXPECT_THAT(Command({"predict", "triag", "a=1"}),
              FailsWith(Exit::kNotFound, "fix: did you mean 'triage'?"));
}

TEST_F(ResourceNamesTest, TheServiceMaySayTheBareName) {
  serving_.get_model = [](const auto&, auto&) { return NotFound("there is no model 'traige'"); };
  EXPECT_THAT(Command({"model", "show", "traige"}),
              FailsWith(Exit::kNotFound, "fix: did you mean 'triage'?"));
}

TEST_F(ResourceNamesTest, ANameLikeNoOtherKeepsTheServicesFix) {
  EXPECT_THAT(Command({"model", "show", "weather"}),
              FailsWith(Exit::kNotFound, "fix: ListModels has them"));
  EXPECT_THAT(Command({"model", "show", "triage@7"}),  // the version is what is wrong
              FailsWith(Exit::kNotFound, "fix: ListModels has them"));
}

}  // namespace
}  // namespace millrace::cli
