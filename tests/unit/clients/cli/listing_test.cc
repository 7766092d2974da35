#include "clients/cli/listing.h"

#include <algorithm>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/training/v1/training_service.pb.h"

#include "common/status/status.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using testing::ElementsAre;
using training::Fails;
using training::v1::ListRunsRequest;
using training::v1::ListRunsResponse;

// A service with `count_` runs, which gives at most `page_max_` at a time.
class ListingTest : public ShellTest {
 protected:
  ListingTest() {
    training_.list_runs = [this](const ListRunsRequest& request, ListRunsResponse& response) {
      page_sizes_.push_back(request.page_size());
      int next = request.page_token().empty() ? 0 : std::stoi(request.page_token());
      const int end = std::min(count_, next + std::min(request.page_size(), page_max_));
      for (; next < end; ++next) {
        response.add_runs()->set_name(fmt::format("runs/{}", next));
      }
      response.set_next_page_token(next < count_ ? std::to_string(next) : "");
      return absl::OkStatus();
    };
  }

  absl::StatusOr<ListRunsResponse> ListUpTo(int limit) {
    return List(shell_, connection_.Training(), &TrainingStub::ListRuns, ListRunsRequest(), limit);
  }

  int count_ = 0;
  int page_max_ = 1000;
  std::vector<int> page_sizes_;
};

TEST_F(ListingTest, NothingIsAnEmptyList) {
  const auto list = ListUpTo(100);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->runs_size(), 0);
  EXPECT_EQ(err_.str(), "");
}

TEST_F(ListingTest, PagesBecomeOneList) {
  count_ = 2500;
  const auto list = ListUpTo(3000);
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->runs_size(), 2500);
  EXPECT_EQ(list->runs(2499).name(), "runs/2499");
  EXPECT_EQ(list->next_page_token(), "");
  EXPECT_THAT(page_sizes_, ElementsAre(1000, 1000, 1000));
  EXPECT_EQ(err_.str(), "");
}

TEST_F(ListingTest, TheLimitIsKeptAndSaid) {
  count_ = 2500;
  const auto list = ListUpTo(1200);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->runs_size(), 1200);
  EXPECT_EQ(list->next_page_token(), "1200");
  EXPECT_THAT(page_sizes_, ElementsAre(1000, 200));
  EXPECT_EQ(err_.str(), "the newest 1200; --limit shows more\n");
}

TEST_F(ListingTest, AListThatJustFitsLeavesNothingOut) {
  count_ = 100;
  ASSERT_TRUE(ListUpTo(100).ok());
  EXPECT_EQ(err_.str(), "");
}

TEST_F(ListingTest, AServiceMayGiveSmallerPages) {
  count_ = 25;
  page_max_ = 10;
  const auto list = ListUpTo(22);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->runs_size(), 22);
}

TEST_F(ListingTest, AnEmptyPageThatPromisesMoreEndsTheList) {
  count_ = 25;
  page_max_ = 0;
  EXPECT_THAT(ListUpTo(22),
              Fails(absl::StatusCode::kInternal, "an empty page that is not the last"));
}

TEST_F(ListingTest, AnErrorIsTheLists) {
  training_.list_runs = [](const ListRunsRequest&, ListRunsResponse&) {
    return InvalidArgument("page_token is none of ours");
  };
  EXPECT_THAT(ListUpTo(10), Fails(absl::StatusCode::kInvalidArgument, "page_token"));
}

}  // namespace
}  // namespace millrace::cli
