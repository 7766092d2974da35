#include "services/serving/rpc/audited.h"

#include <fstream>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/services/serving/small_bundle.h"

namespace millrace::serving {
namespace {

using storage::FaultyFileSystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class AuditedTest : public testing::Test {
 protected:
  // One change whose act returns `outcome`, with a log on `files`.
  absl::StatusOr<int> Change(storage::FileSystem& files, const absl::Status& outcome) {
    acted_ = false;
    std::filesystem::remove_all(folder_.path());
    auto log = audit::AuditLog::Open(files, SystemClock(), folder_.path());
    if (!log.ok()) {
      return log.status();
    }
    return Audited(log->get(), change_, [&](audit::Change& change) -> absl::StatusOr<int> {
      acted_ = true;
      change.resource = "models/m/versions/7";
      RETURN_IF_ERROR(outcome);
      return 7;
    });
  }

  [[nodiscard]] std::vector<std::string> Lines() const {
    std::ifstream stream(folder_.path() + "/00000001.jsonl");
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) {
      lines.push_back(line);
    }
    return lines;
  }

  TestFolder folder_;
  audit::Change change_ = {.caller = "ann",
                           .request_id = "r-1",
                           .method = "a.Service/Change",
                           .resource = "models/m",
                           .outcome = {}};
  bool acted_ = false;
};

TEST_F(AuditedTest, WritesBeforeAndAfter) {
  FaultyFileSystem files;
  const auto result = Change(files, absl::OkStatus());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(*result, 7);
  EXPECT_THAT(Lines(),
              ElementsAre(AllOf(HasSubstr(R"("caller":"ann")"),
                                HasSubstr(R"("request_id":"r-1")"),
                                HasSubstr(R"("method":"a.Service/Change")"),
                                HasSubstr(R"("resource":"models/m")"),
                                HasSubstr(R"("outcome":"begun")")),
                          AllOf(HasSubstr(R"("caller":"ann")"),
                                HasSubstr(R"("resource":"models/m/versions/7")"),
                                HasSubstr(R"("outcome":"OK")"))));
}

TEST_F(AuditedTest, WritesHowAFailedChangeFailed) {
  FaultyFileSystem files;
  const auto result = Change(files, NotFound("there is no model 'm'"));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Lines(),
              ElementsAre(HasSubstr(R"("outcome":"begun")"),
                          HasSubstr("NOT_FOUND: there is no model 'm'")));
}

// Every operation of the disk fails once: no change is made that no line tells of, and none is
// answered with OK whose end is not written.
TEST_F(AuditedTest, NothingIsDoneThatNoLineTellsOf) {
  FaultyFileSystem whole;
  ASSERT_TRUE(Change(whole, absl::OkStatus()).ok());
  const auto operation_count = static_cast<int>(whole.operations().size());
  int kept_from_acting = 0;
  int acted_in_vain = 0;
  for (int failing = 1; failing <= operation_count; ++failing) {
    FaultyFileSystem files(failing);
    const auto result = Change(files, absl::OkStatus());
    if (result.ok()) {
      continue;  // what failed was not needed
    }
    EXPECT_THAT(std::string(Message(result.status())), HasSubstr("failed on purpose"));
    if (acted_) {
      ++acted_in_vain;
      EXPECT_THAT(std::string(Message(result.status())),
                  HasSubstr("the change was made, but not its end written down"));
      ASSERT_FALSE(Lines().empty());
      EXPECT_THAT(Lines()[0], HasSubstr(R"("outcome":"begun")"));
    } else {
      ++kept_from_acting;
    }
  }
  EXPECT_GE(kept_from_acting, 2);
  EXPECT_GE(acted_in_vain, 2);
}

TEST_F(AuditedTest, AChangesOwnErrorSaysMoreThanTheLogs) {
  FaultyFileSystem whole;
  ASSERT_TRUE(Change(whole, absl::OkStatus()).ok());
  const auto operation_count = static_cast<int>(whole.operations().size());
  int both = 0;
  for (int failing = 1; failing <= operation_count; ++failing) {
    FaultyFileSystem files(failing);
    const auto result = Change(files, NotFound("there is no model 'm'"));
    if (acted_) {
      EXPECT_EQ(result.status().code(), absl::StatusCode::kNotFound);
      ++both;
    }
  }
  EXPECT_GE(both, 2);
}

TEST_F(AuditedTest, WithoutALogTheChangeIsMade) {
  const auto result =
      Audited(nullptr, change_, [](const audit::Change&) -> absl::StatusOr<int> { return 7; });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(*result, 7);
}

}  // namespace
}  // namespace millrace::serving
