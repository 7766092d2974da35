#include "services/training/publish/publish.h"

#include <memory>
#include <stop_token>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/server.h"
#include "common/storage/file_system.h"
#include "services/training/publish/trained_files.h"
#include "tests/unit/common/storage/temporary_folder.h"
#include "tests/unit/services/training/fails.h"
#include "tests/unit/services/training/recording_serving_service.h"
#include "tests/unit/services/training/whole_file.h"

namespace millrace::training {
namespace {

using testing::ElementsAre;

const grpc::Status kAway(grpc::StatusCode::UNAVAILABLE, "serving is restarting");

class PublishTest : public testing::Test {
 protected:
  PublishTest()
      : server_(rpc::Server::Start({}, {&service_}).value()),
        stub_(serving::v1::ServingService::NewStub(server_->InProcessChannel())) {
    auto& column = *transforms_.add_features()->mutable_column();
    column.set_name("age");
    column.set_type(schema::v1::COLUMN_TYPE_REAL);
  }

  void Write(const std::string& bundle) {
    const absl::Status written =
        WriteTrained(storage::PosixFileSystem(), folder_.path(), bundle, transforms_);
    ASSERT_TRUE(written.ok()) << written;
  }

  absl::StatusOr<std::string> Run(bool no_traffic = false) {
    return Publish(*stub_,
                   {.folder = folder_.path(),
                    .model = "models/points",
                    .no_traffic = no_traffic,
                    .upload_id = "0123456789abcdef"},
                   {},
                   stop_.get_token());
  }

  storage::TemporaryFolder folder_;
  schema::v1::TransformSet transforms_;
  RecordingServingService service_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<serving::v1::ServingService::Stub> stub_;
  std::stop_source stop_;
};

TEST_F(PublishTest, SendsTheBundleWholeWithWhatItIs) {
  // Three chunks, the last of them short.
  std::string bundle((std::size_t{2} << 20) + 17, 'w');
  bundle[5] = 'x';
  Write(bundle);

  const auto version = Run(/*no_traffic=*/true);

  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(*version, "models/points/versions/1");
  ASSERT_EQ(service_.bundles().size(), 1U);
  EXPECT_TRUE(service_.bundles()[0] == bundle);
  for (const serving::v1::UploadHeader& header : {service_.checked(), service_.header()}) {
    EXPECT_EQ(header.model(), "models/points");
    EXPECT_EQ(header.size_bytes(), static_cast<std::int64_t>(bundle.size()));
    EXPECT_TRUE(header.no_traffic());
    EXPECT_EQ(header.upload_id(), "0123456789abcdef");
    ASSERT_EQ(header.signature().features_size(), 1);
    EXPECT_EQ(header.signature().features(0).name(), "age");
  }
}

TEST_F(PublishTest, GoesOnWhereTheStreamBroke) {
  Write("bundle");
  service_.RefuseNext({kAway, kAway});

  const auto version = Run();

  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(service_.upload_count(), 3);
  EXPECT_THAT(service_.bundles(), ElementsAre("bundle"));
}

TEST_F(PublishTest, AnAttemptMayBeRepeated) {
  Write("bundle");

  EXPECT_EQ(*Run(), "models/points/versions/1");
  EXPECT_EQ(*Run(), "models/points/versions/1");
}

TEST_F(PublishTest, WhatServingWouldNotTakeIsNotSent) {
  Write("bundle");
  service_.RefuseToCheck({grpc::StatusCode::FAILED_PRECONDITION, "the label is another"}, 1);

  EXPECT_THAT(Run(),
              Fails(absl::StatusCode::kFailedPrecondition,
                    "publishing models/points to the serving service: the label is another"));
  EXPECT_EQ(service_.upload_count(), 0);
}

TEST_F(PublishTest, AServingServiceThatKnowsNoQuestionIsSentTheBundle) {
  Write("bundle");
  service_.RefuseToCheck({grpc::StatusCode::UNIMPLEMENTED, ""}, 1);

  EXPECT_TRUE(Run().ok());
}

TEST_F(PublishTest, AnErrorOfTheUploadIsServingsOwn) {
  Write("bundle");
  service_.RefuseNext({{grpc::StatusCode::INVALID_ARGUMENT, "the bundle has no tensors"}});

  EXPECT_THAT(Run(), Fails(absl::StatusCode::kInvalidArgument, "the bundle has no tensors"));
  EXPECT_EQ(service_.upload_count(), 1);
}

TEST_F(PublishTest, AStopEndsIt) {
  Write("bundle");
  service_.RefuseNext({kAway, kAway});
  stop_.request_stop();

  EXPECT_THAT(Run(), Fails(absl::StatusCode::kCancelled, "publishing models/points was stopped"));
}

TEST_F(PublishTest, ADamagedBundleIsNeverSent) {
  Write("bundle");
  WriteAll(folder_.path() + "/bundle", "bundlf");
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kDataLoss, "SHA-256"));
  WriteAll(folder_.path() + "/bundle", "bundle and more");
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kDataLoss, "15 bytes"));

  EXPECT_EQ(service_.upload_count(), 0);
}

TEST_F(PublishTest, AFolderWithoutABundleSaysSo) {
  EXPECT_THAT(Run(), Fails(absl::StatusCode::kNotFound, "trained bundle is not there"));
}

// The worker was ended while it wrote, and writes once more.
TEST_F(PublishTest, WhatIsWrittenAgainReplacesWhatWasThere) {
  Write("old");
  WriteAll(folder_.path() + "/bundle.tmp", "half");
  Write("bundle");

  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(service_.bundles(), ElementsAre("bundle"));
}

}  // namespace
}  // namespace millrace::training
