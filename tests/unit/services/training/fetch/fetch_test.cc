#include "services/training/fetch/fetch.h"

#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/server.h"
#include "tests/unit/services/training/example_data_service.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::training {
namespace {

using data::v1::ReadExamplesResponse;
using testing::ElementsAre;
using testing::HasSubstr;

class FetchTest : public testing::Test {
 protected:
  absl::StatusOr<FetchedDataset> Run(const FetchOptions& options = {},
                                     const std::string& name = "datasets/points/versions/1") {
    auto server = rpc::Server::Start({}, {&service_});
    EXPECT_TRUE(server.ok()) << server.status();
    const auto stub = data::v1::DataService::NewStub((*server)->InProcessChannel());
    Patience patience(
        patience_,
        [this](const std::string& reason) {
          told_.push_back(reason);
          return absl::OkStatus();
        },
        stop_.get_token());
    absl::StatusOr<FetchedDataset> dataset =
        Fetch(*stub, name, options, patience, stop_.get_token());
    gave_up_ = patience.gave_up();
    return dataset;
  }

  Patience::Options patience_{
      .waits = {.first = std::chrono::milliseconds(1), .longest = std::chrono::milliseconds(2)},
      .limit = std::chrono::hours(1)};
  std::vector<std::string> told_;
  bool gave_up_ = false;

  ExampleDataService service_;
  std::stop_source stop_;
};

TEST_F(FetchTest, BringsEverySplitWholeAndInOrder) {
  const auto dataset = Run();

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->train.labels.size(), 96U);
  EXPECT_EQ(dataset->train.x.size(), 192U);
  EXPECT_EQ(dataset->validation.labels.size(), 16U);
  EXPECT_EQ(dataset->test.labels.size(), 16U);
  // Example 8 of train is number 1008.
  EXPECT_EQ(dataset->train.x[16], static_cast<float>(1008 % 13) / 12);
  EXPECT_EQ(dataset->train.x[17], static_cast<float>(1008 % 17) / 16);
  EXPECT_NE(dataset->validation.x, dataset->test.x);
  EXPECT_EQ(dataset->train_statistics.row_count(), 96);
  EXPECT_EQ(dataset->version.sha256(), std::string(64, 'd'));
}

TEST_F(FetchTest, AnEmptySplitIsNoError) {
  service_.version().set_validation_count(0);

  const auto dataset = Run();

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_TRUE(dataset->validation.labels.empty());
}

TEST_F(FetchTest, AnUnknownVersionIsThePeersOwnError) {
  EXPECT_THAT(Run({}, "datasets/points/versions/9"),
              Fails(absl::StatusCode::kNotFound, "there is no datasets/points/versions/9"));
}

TEST_F(FetchTest, TheMemoryLimitHoldsToTheByte) {
  // 128 examples of 2 inputs and a label, 4 bytes each.
  constexpr std::int64_t kBytes = 128 * 3 * 4;

  EXPECT_TRUE(Run({.bytes_max = kBytes}).ok());
  const auto refused = Run({.bytes_max = kBytes - 1});
  EXPECT_THAT(refused, Fails(absl::StatusCode::kResourceExhausted, "takes 1536 bytes"));
  EXPECT_THAT(Fix(refused.status()), HasSubstr("examples_bytes_max"));
}

TEST_F(FetchTest, CountsThatOverflowAreRefusedByTheLimitToo) {
  service_.version().set_train_count(std::numeric_limits<std::int64_t>::max());

  EXPECT_THAT(Run(), Fails(absl::StatusCode::kResourceExhausted, "bytes in memory"));
}

TEST_F(FetchTest, ADatasetWithoutALabelIsRefused) {
  service_.version().mutable_transforms()->set_task(schema::v1::TASK_UNSPECIFIED);

  EXPECT_THAT(Run(), Fails(absl::StatusCode::kFailedPrecondition, "has no label"));
}

TEST_F(FetchTest, FewerExamplesThanPromisedAreALoss) {
  service_.version().set_train_count(97);

  EXPECT_THAT(Run(), Fails(absl::StatusCode::kDataLoss, "expected 97 examples, found 96"));
}

TEST_F(FetchTest, MoreExamplesThanPromisedAreALossAndAreNotStored) {
  service_.version().set_train_count(20);

  EXPECT_THAT(Run(), Fails(absl::StatusCode::kDataLoss, "expected 20 examples, found 21 or more"));
}

TEST_F(FetchTest, ANegativeCountIsALoss) {
  service_.spoil = [](ReadExamplesResponse& response) { response.set_example_count(-7); };

  EXPECT_THAT(Run(), Fails(absl::StatusCode::kDataLoss, "train split"));
}

TEST_F(FetchTest, BytesThatDoNotFitTheShapeAreALoss) {
  service_.spoil = [](ReadExamplesResponse& response) { response.mutable_features()->pop_back(); };

  EXPECT_THAT(Run(),
              Fails(absl::StatusCode::kDataLoss,
                    "expected 7 rows of 2 inputs and a label, found 55 and 28 bytes"));
}

TEST_F(FetchTest, MissingLabelsAreALoss) {
  service_.spoil = [](ReadExamplesResponse& response) { response.clear_labels(); };

  EXPECT_THAT(Run(), Fails(absl::StatusCode::kDataLoss, "and 0 bytes"));
}

void SetFirstLabel(float label, ReadExamplesResponse& response) {
  std::memcpy(response.mutable_labels()->data(), &label, sizeof label);
}

TEST_F(FetchTest, ALabelThatIsNoClassIsALoss) {
  for (const float label : {2.0F, -1.0F, 0.5F, std::nanf("")}) {
    service_.spoil = [&](ReadExamplesResponse& response) { SetFirstLabel(label, response); };

    EXPECT_THAT(Run(), Fails(absl::StatusCode::kDataLoss, "expected labels in [0, 2)")) << label;
  }
}

TEST_F(FetchTest, AnInputThatIsNotFiniteIsALoss) {
  service_.spoil = [](ReadExamplesResponse& response) {
    const float infinity = std::numeric_limits<float>::infinity();
    std::memcpy(response.mutable_features()->data() + 20, &infinity, sizeof infinity);
  };

  EXPECT_THAT(Run(),
              Fails(absl::StatusCode::kDataLoss, "expected finite inputs, found inf at example 2"));
}

TEST_F(FetchTest, AStreamThatBreaksIsThePeersErrorWithWhatWasRead) {
  service_.before_examples = [](schema::v1::Split split, grpc::ServerContext& /*context*/) {
    return split == schema::v1::SPLIT_TEST
               ? grpc::Status(grpc::StatusCode::DATA_LOSS, "column b is damaged")
               : grpc::Status::OK;
  };

  EXPECT_THAT(Run(),
              Fails(absl::StatusCode::kDataLoss,
                    "reading the test split of datasets/points/versions/1: column b is damaged"));
}

// The peer itself waits for the cancellation that the stop brings.
TEST_F(FetchTest, AStopEndsACallThatIsUnderWay) {
  service_.before_examples = [&](schema::v1::Split /*split*/, grpc::ServerContext& context) {
    stop_.request_stop();
    while (!context.IsCancelled()) {
      std::this_thread::yield();
    }
    return grpc::Status::CANCELLED;
  };

  EXPECT_THAT(Run(), Fails(absl::StatusCode::kCancelled, "was stopped"));
}

// Examples are counted anew, so that none stands twice.
TEST_F(FetchTest, ASplitThatBreaksOffIsReadAgain) {
  int messages = 0;
  int reads = 0;
  service_.before_examples = [&](schema::v1::Split split, grpc::ServerContext& /*context*/) {
    reads += split == schema::v1::SPLIT_TRAIN ? 1 : 0;
    return grpc::Status::OK;
  };
  service_.break_after = [&] { return ++messages == 5; };

  const auto dataset = Run();

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(reads, 2);
  EXPECT_EQ(dataset->train.labels.size(), 96U);
  EXPECT_EQ(dataset->train.x[17], static_cast<float>(1008 % 17) / 16);
  EXPECT_THAT(told_, ElementsAre("", "the data service does not answer", ""));
}

TEST_F(FetchTest, WhatPassesIsWaitedForByEveryCall) {
  for (const grpc::StatusCode code : {grpc::StatusCode::UNAVAILABLE,
                                      grpc::StatusCode::DEADLINE_EXCEEDED,
                                      grpc::StatusCode::RESOURCE_EXHAUSTED,
                                      grpc::StatusCode::ABORTED,
                                      grpc::StatusCode::CANCELLED}) {
    int refusals = 3;
    service_.before_answer = [&] {
      return refusals-- > 0 ? grpc::Status(code, "later") : grpc::Status::OK;
    };
    int broken = 2;
    service_.before_examples = [&](schema::v1::Split /*split*/, grpc::ServerContext& /*context*/) {
      return broken-- > 0 ? grpc::Status(code, "later") : grpc::Status::OK;
    };

    const auto dataset = Run();

    EXPECT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_LT(refusals, 0);
    EXPECT_LT(broken, 0);
  }
}

TEST_F(FetchTest, TheWaitIsBoundedAndSaysWhatForWasWaited) {
  service_.before_answer = [] {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "18 readers are open");
  };
  patience_.limit = std::chrono::milliseconds(5);

  EXPECT_THAT(Run(), Fails(absl::StatusCode::kResourceExhausted, "18 readers are open"));
  EXPECT_TRUE(gave_up_);
  EXPECT_THAT(told_, ElementsAre("the data service says: 18 readers are open"));
}

TEST_F(FetchTest, AStopEndsTheWait) {
  service_.before_answer = [&] {
    stop_.request_stop();
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
  };
  patience_.waits = {.first = std::chrono::hours(1), .longest = std::chrono::hours(1)};

  EXPECT_THAT(Run(), Fails(absl::StatusCode::kCancelled, "was stopped"));
}

}  // namespace
}  // namespace millrace::training
