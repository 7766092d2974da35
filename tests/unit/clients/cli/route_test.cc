#include "clients/cli/route.h"

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "tests/unit/clients/cli/command_test.h"

namespace millrace::cli {
namespace {

using serving::v1::Route;
using testing::ElementsAre;
using testing::HasSubstr;

// Keeps the route that it is told, and every one before.
class RouteTest : public CommandTest {
 protected:
  RouteTest() {
    serving_.get_route = [this](const auto& request, Route& route) {
      route = routes_.back();
      route.set_model(request.model());
      return absl::OkStatus();
    };
    serving_.set_route = [this](const auto& request, Route& route) {
      routes_.push_back(request.route());
      route = request.route();
      return absl::OkStatus();
    };
    serving_.get_model = [](const auto&, auto& version) {
      version.set_name("models/triage/versions/2");
      return absl::OkStatus();
    };
    serving_.list_route_changes = [this](const auto&, auto& response) {
      for (std::size_t i = routes_.size(); i > 0; --i) {
        auto& change = *response.add_changes();
        change.set_sequence(static_cast<int>(i));
        change.set_caller("anna");
        *change.mutable_route() = routes_[i - 1];
      }
      return absl::OkStatus();
    };
  }

  // The last route as `version=percent` words.
  std::vector<std::string> Shares() {
    std::vector<std::string> words;
    for (const auto& share : routes_.back().shares()) {
      words.push_back(fmt::format("{}={}", share.version(), share.percent()));
    }
    return words;
  }

  std::vector<Route> routes_ = std::vector<Route>(1);
};

TEST_F(RouteTest, ARouteIsSetAsAWhole) {
  const CommandResult result = Command({"route", "set", "triage", "2=90", "3=10%"});
  EXPECT_EQ(result.exit, Exit::kDone);
  EXPECT_EQ(result.out,
            "MODEL   VERSION  PERCENT\n"
            "triage        2       90\n"
            "triage        3       10\n");
  EXPECT_THAT(Shares(), ElementsAre("2=90", "3=10"));
  EXPECT_EQ(routes_.back().model(), "models/triage");
  ASSERT_EQ(Command({"route", "set", "triage", "3"}).exit, Exit::kDone);
  EXPECT_THAT(Shares(), ElementsAre("3=100"));
  ASSERT_EQ(Command({"route", "set", "triage", "--newest"}).exit, Exit::kDone);
  EXPECT_THAT(Shares(), ElementsAre());
}

TEST_F(RouteTest, ACanaryTakesItsShareFromWhatIsThere) {
  ASSERT_EQ(Command({"route", "set", "triage", "--canary=3=10%"}).exit, Exit::kDone);
  EXPECT_THAT(Shares(), ElementsAre("2=90", "3=10"));
  ASSERT_EQ(Command({"route", "set", "triage", "--canary", "3=35"}).exit, Exit::kDone);
  EXPECT_THAT(Shares(), ElementsAre("2=65", "3=35"));
  ASSERT_EQ(Command({"route", "set", "triage", "1=33", "2=33", "3=34"}).exit, Exit::kDone);
  ASSERT_EQ(Command({"route", "set", "triage", "--canary", "4=1"}).exit, Exit::kDone);
  EXPECT_THAT(Shares(), ElementsAre("1=32", "2=32", "3=35", "4=1"));  // they sum to 100
  EXPECT_THAT(Command({"route", "set", "iris", "2", "--dry-run"}).err,
              HasSubstr("would route iris to @2 100 %"));
}

TEST_F(RouteTest, ACanaryThatHasAllTrafficHasNobodyToShareWith) {
  EXPECT_THAT(Command({"route", "set", "triage", "--canary", "2=10"}),
              FailsWith(Exit::kInvalid, "version 2 of triage has all the traffic already"));
}

TEST_F(RouteTest, ARollbackSetsTheRouteBefore) {
  ASSERT_EQ(Command({"route", "set", "triage", "2"}).exit, Exit::kDone);
  ASSERT_EQ(Command({"route", "set", "triage", "2=50", "3=50"}).exit, Exit::kDone);
  const CommandResult dry = Command({"route", "rollback", "triage", "--dry-run"});
  EXPECT_EQ(dry.err, "would route triage to @2 100 %\n");
  EXPECT_THAT(Shares(), ElementsAre("2=50", "3=50"));
  ASSERT_EQ(Command({"route", "rollback", "triage"}).exit, Exit::kDone);
  EXPECT_THAT(Shares(), ElementsAre("2=100"));
}

TEST_F(RouteTest, WithoutAnotherRouteThereIsNoRollback) {
  EXPECT_THAT(Command({"route", "rollback", "triage"}),
              FailsWith(Exit::kInvalid, "triage has had no other route"));
}

TEST_F(RouteTest, TheHistorySaysWhoSetWhat) {
  ASSERT_EQ(Command({"route", "set", "triage", "2=90", "3=10"}).exit, Exit::kDone);
  const CommandResult result = Command({"route", "history", "triage"});
  EXPECT_THAT(result.out, HasSubstr("2  anna  @2 90 %, @3 10 %"));
  EXPECT_THAT(result.out, HasSubstr("1  anna  the newest version"));
}

TEST_F(RouteTest, ARouteIsShownInEveryForm) {
  EXPECT_THAT(Command({"route", "show", "triage"}).out, HasSubstr("triage   newest      100"));
  ASSERT_EQ(Command({"route", "set", "triage", "2=90", "3=10"}).exit, Exit::kDone);
  EXPECT_EQ(Command({"route", "show", "triage", "-oname"}).out,
            "models/triage/versions/2\nmodels/triage/versions/3\n");
  EXPECT_EQ(Command({"route", "show", "triage", "-ojson"}).Json()["shares"][1]["percent"], 10);
}

TEST_F(RouteTest, WordsThatMakeNoSenseAreUsageErrors) {
  for (const char* const word : {"x=1", "3=", "3=101", "0=100", "3=x", "-1=3"}) {
    EXPECT_THAT(Command({"route", "set", "triage", "--", word}),
                FailsWith(Exit::kUsage, "a share must be VERSION=PERCENT"));
  }
  EXPECT_THAT(Command({"route", "set", "triage", "1=50", "2=49"}),
              FailsWith(Exit::kUsage, "must sum to 100 percent, found 99"));
  EXPECT_THAT(Command({"route", "set", "triage"}), FailsWith(Exit::kUsage, "give either"));
  EXPECT_THAT(Command({"route", "set", "triage", "3", "--newest"}),
              FailsWith(Exit::kUsage, "give either"));
}

}  // namespace
}  // namespace millrace::cli
