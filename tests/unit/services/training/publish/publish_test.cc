#include "services/training/publish/publish.h"

#include <memory>
#include <stop_token>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/server.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/recording_serving_service.h"

namespace millrace::training {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

const grpc::Status kAway(grpc::StatusCode::UNAVAILABLE, "serving is restarting");

class PublishTest : public testing::Test {
 protected:
  PublishTest()
      : server_(rpc::Server::Start({}, {&service_}).value()),
        stub_(serving::v1::ServingService::NewStub(server_->InProcessChannel())) {}

  absl::StatusOr<serving::v1::ModelVersion> Run(const std::string& bundle,
                                                const PublishOptions& options = {}) {
    return Publish(*stub_, "models/points", bundle, options, stop_.get_token());
  }

  RecordingServingService service_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<serving::v1::ServingService::Stub> stub_;
  std::stop_source stop_;
};

TEST_F(PublishTest, SendsTheBundleWholeAndReturnsItsVersion) {
  // Three chunks, the last of them short.
  std::string bundle((std::size_t{2} << 20) + 17, 'w');
  bundle[5] = 'x';

  const auto version = Run(bundle);

  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->name(), "models/points/versions/1");
  EXPECT_EQ(service_.model(), "models/points");
  ASSERT_EQ(service_.bundles().size(), 1U);
  EXPECT_TRUE(service_.bundles()[0] == bundle);
}

TEST_F(PublishTest, TriesAgainWhileServingIsAway) {
  service_.RefuseNext({kAway, kAway});

  const auto version = Run("bundle", {.first_wait = milliseconds(1)});

  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(service_.upload_count(), 3);
  EXPECT_THAT(service_.bundles(), ElementsAre("bundle"));
}

TEST_F(PublishTest, GivesUpWhenTheTimeIsOver) {
  service_.RefuseNext({kAway, kAway, kAway});

  EXPECT_THAT(Run("bundle", {.timeout = milliseconds(10'000), .first_wait = milliseconds(20'000)}),
              Fails(absl::StatusCode::kUnavailable,
                    "publishing models/points to the serving service: serving is restarting"));
  EXPECT_EQ(service_.upload_count(), 1);
}

TEST_F(PublishTest, AnotherErrorIsNotTriedAgain) {
  service_.RefuseNext({{grpc::StatusCode::INVALID_ARGUMENT, "the bundle has no tensors"}});

  EXPECT_THAT(Run("bundle"),
              Fails(absl::StatusCode::kInvalidArgument, "the bundle has no tensors"));
  EXPECT_EQ(service_.upload_count(), 1);
}

TEST_F(PublishTest, AStopEndsTheWaitBetweenTwoAttempts) {
  service_.RefuseNext({kAway, kAway});
  stop_.request_stop();

  EXPECT_THAT(
      Run("bundle", {.timeout = std::chrono::hours(1), .first_wait = std::chrono::hours(1)}),
      Fails(absl::StatusCode::kCancelled, "publishing models/points was stopped"));
}

}  // namespace
}  // namespace millrace::training
