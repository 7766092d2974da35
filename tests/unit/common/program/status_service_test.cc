#include "common/program/status_service.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/version/version.h"
#include "tests/unit/common/transfer/set_clock.h"

namespace millrace::program {
namespace {

TEST(StatusServiceTest, TellsNameVersionBuildAndTheTwoTimes) {
  transfer::SetClock clock;
  StatusService service("training", ".", clock);
  const auto server = rpc::Server::Start({.permissions = StatusService::Permissions()}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto begin = std::chrono::system_clock::to_time_t(clock.Now());
  clock.Advance(std::chrono::seconds(90));

  const auto stub = status::v1::StatusService::NewStub((*server)->InProcessChannel());
  grpc::ClientContext context;
  rpc::SetDeadline(context, std::chrono::seconds(10));
  status::v1::Status told;
  const grpc::Status answered = stub->GetStatus(&context, {}, &told);

  ASSERT_TRUE(answered.ok()) << answered.error_message();
  EXPECT_EQ(told.service(), "training");
  EXPECT_EQ(told.version(), Version());
  EXPECT_EQ(told.build(), BuildName());
  EXPECT_EQ(told.start_time().seconds(), begin);
  EXPECT_EQ(told.time().seconds(), begin + 90);
  EXPECT_GT(told.disk_total_bytes(), told.disk_free_bytes());
  EXPECT_EQ(told.cannot_write(), "");
}

TEST(StatusServiceTest, AFolderThatCannotBeWrittenIsToldWithoutItsName) {
  status::v1::Status told;
  DescribeDisk("/proc/self", told);  // a disk that never has room
  EXPECT_NE(told.cannot_write(), "");
  told.Clear();
  DescribeDisk("/no/such/folder", told);
  EXPECT_FALSE(told.has_disk_free_bytes());
  EXPECT_THAT(told.cannot_write(), testing::Not(testing::HasSubstr("/no/such")));
  EXPECT_NE(told.cannot_write(), "");
}

TEST(StatusServiceTest, AReaderMayAskAndNothingElseIsStated) {
  EXPECT_TRUE(rpc::CheckPermissions({status::v1::StatusService::service_full_name()},
                                    StatusService::Permissions())
                  .ok());
  EXPECT_EQ(StatusService::Permissions().at("millrace.status.v1.StatusService/GetStatus"),
            security::Permission::kReader);
}

}  // namespace
}  // namespace millrace::program
