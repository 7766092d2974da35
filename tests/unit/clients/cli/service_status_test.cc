#include "clients/cli/service_status.h"

#include <chrono>
#include <string>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/version/version.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/common/transfer/set_clock.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using std::chrono::duration;
using training::Fails;

class ServiceStatusTest : public ShellTest {
 protected:
  absl::StatusOr<ServiceStatus> Ask() { return AskStatus(connection_, Service::kServing, clock_); }

  transfer::SetClock clock_;
};

TEST_F(ServiceStatusTest, ClocksAreComparedInTheMiddleOfTheRoundTrip) {
  serving_status_.get_status = [this](const auto&, status::v1::Status& told) {
    told.set_service("serving");
    told.mutable_time()->set_seconds(std::chrono::system_clock::to_time_t(clock_.Now()) + 60);
    told.mutable_time()->set_nanos(500'000'000);
    return absl::OkStatus();
  };
  const auto status = Ask();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->told.service(), "serving");
  EXPECT_GT(status->uncertain.count(), 0);
  // The clock of this side stands, so that the middle lies half a round trip behind its time.
  EXPECT_NEAR((status->ahead + status->uncertain).count(), 60.5, 1e-5);
}

TEST_F(ServiceStatusTest, AServiceWithoutTheCallIsUnimplementedAndOneThatIsDownUnavailable) {
  EXPECT_EQ(Ask().status().code(), absl::StatusCode::kUnimplemented);
  StopServer(data_server_);
  EXPECT_THAT(AskStatus(connection_, Service::kData, clock_),
              Fails(absl::StatusCode::kUnavailable, "cannot reach the data service at"));
}

TEST_F(ServiceStatusTest, NoTimeThatAPeerSendsIsTooLarge) {
  serving_status_.get_status = [](const auto&, status::v1::Status& told) {
    told.mutable_time()->set_seconds(INT64_MAX);
    return absl::OkStatus();
  };
  const auto status = Ask();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_THAT(CheckClocks(*status),
              Fails(absl::StatusCode::kFailedPrecondition, "s ahead of this"));
}

TEST(CheckClocksTest, ADifferenceThatTheRoundTripMayExplainIsNone) {
  EXPECT_TRUE(CheckClocks({.told = {}, .ahead = duration<double>(5.0)}).ok());
  EXPECT_THAT(CheckClocks({.told = {}, .ahead = duration<double>(-5.1)}),
              Fails(absl::StatusCode::kFailedPrecondition,
                    "its clock is 5.1 s behind this machine's, more than 5 s"));
  EXPECT_TRUE(
      CheckClocks({.told = {}, .ahead = duration<double>(5.1), .uncertain = duration<double>(0.2)})
          .ok());
}

TEST(CheckReleaseTest, OnlyMajorAndMinorNumberMatter) {
  const std::string own(Version());
  const std::string release = own.substr(0, own.rfind('.'));
  const auto check = [](const std::string& version) {
    ServiceStatus status;
    status.told.set_version(version);
    return CheckRelease(status);
  };
  EXPECT_TRUE(check(own).ok());
  EXPECT_TRUE(check(release + ".4711").ok());
  for (const std::string& other : {release + "1.0", "9" + own, std::string("9"), std::string()}) {
    EXPECT_THAT(check(other),
                Fails(absl::StatusCode::kFailedPrecondition, "and this command " + own));
  }
}

}  // namespace
}  // namespace millrace::cli
