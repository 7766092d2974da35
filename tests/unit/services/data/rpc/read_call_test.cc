#include "services/data/rpc/read_call.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "tests/unit/services/data/rpc/running_service.h"

namespace millrace::data {
namespace {

class ReadCallTest : public RunningService {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Import(UploadOf("datasets/iris", Iris(), 10'000)).ok());
    request_.set_name("datasets/iris");
    request_.set_split(schema::v1::SPLIT_TRAIN);
  }

  grpc::Status Read(grpc::ClientContext& context) {
    return ReadAll(*stub_->ReadExamples(&context, request_), messages_);
  }

  grpc::Status Read() {
    grpc::ClientContext context;
    return Read(context);
  }

  /// Every example as the bytes of its features and label, in order.
  std::vector<std::string> Examples() {
    const grpc::Status status = Read();
    EXPECT_TRUE(status.ok()) << status.error_message();
    constexpr std::size_t kBytes = 4 * sizeof(float);  // of the features of iris
    std::vector<std::string> examples;
    for (const auto& message : messages_) {
      const auto count = static_cast<std::size_t>(message.example_count());
      EXPECT_EQ(message.features().size(), count * kBytes);
      EXPECT_EQ(message.labels().size(), count * sizeof(float));
      for (std::size_t i = 0; i < count; ++i) {
        examples.push_back(message.features().substr(i * kBytes, kBytes) +
                           message.labels().substr(i * sizeof(float), sizeof(float)));
      }
    }
    return examples;
  }

  v1::ReadExamplesRequest request_;
  std::vector<v1::ReadExamplesResponse> messages_;
};

TEST_F(ReadCallTest, AllSplitsTogetherAreTheDataset) {
  const auto train = Examples();
  request_.set_split(schema::v1::SPLIT_VALIDATION);
  const auto validation = Examples();
  request_.set_split(schema::v1::SPLIT_TEST);
  const auto test = Examples();

  EXPECT_EQ(static_cast<std::int64_t>(train.size()), version_.train_count());
  EXPECT_EQ(static_cast<std::int64_t>(validation.size()), version_.validation_count());
  EXPECT_EQ(static_cast<std::int64_t>(test.size()), version_.test_count());
}

TEST_F(ReadCallTest, BatchesHaveTheSizeThatWasAskedFor) {
  request_.set_batch_size(10);
  ASSERT_TRUE(Read().ok());

  ASSERT_GT(messages_.size(), 2U);
  for (std::size_t i = 0; i + 1 < messages_.size(); ++i) {
    EXPECT_EQ(messages_[i].example_count(), 10);
    EXPECT_TRUE(messages_[i].batch_end());
  }
  EXPECT_LE(messages_.back().example_count(), 10);
}

TEST_F(ReadCallTest, AShuffleIsAPermutationThatItsSeedDecides) {
  const auto plain = Examples();
  request_.set_shuffle_seed(7);
  const auto shuffled = Examples();

  EXPECT_NE(shuffled, plain);
  EXPECT_THAT(shuffled, testing::UnorderedElementsAreArray(plain));
  EXPECT_EQ(Examples(), shuffled);
}

TEST_F(ReadCallTest, ShardsPartitionTheSplit) {
  request_.set_shuffle_seed(7);
  const auto whole = Examples();
  request_.set_shard_count(3);
  std::vector<std::string> together(whole.size());
  for (std::size_t shard = 0; shard < 3; ++shard) {
    request_.set_shard_index(static_cast<std::int32_t>(shard));
    std::size_t place = shard;
    for (const std::string& example : Examples()) {
      ASSERT_LT(place, together.size());
      together[place] = example;
      place += 3;
    }
  }
  EXPECT_EQ(together, whole);
}

TEST_F(ReadCallTest, BadRequestsAreRefused) {
  request_.set_name("datasets/none");
  ExpectFailure(Read(), grpc::StatusCode::NOT_FOUND, "there is no datasets/none");
  request_.set_name("../none");
  ExpectFailure(Read(), grpc::StatusCode::INVALID_ARGUMENT, "name must be 'datasets/{id}'");
  request_.set_name("datasets/iris");
  request_.set_split(schema::v1::SPLIT_UNSPECIFIED);
  ExpectFailure(Read(), grpc::StatusCode::INVALID_ARGUMENT, "split must be SPLIT_TRAIN");
  request_.set_split(schema::v1::SPLIT_TRAIN);
  request_.set_batch_size(65'537);
  ExpectFailure(Read(), grpc::StatusCode::INVALID_ARGUMENT, "batch_size must be in [0, 65536]");
}

TEST_F(ReadCallTest, AnExpiredDeadlineEndsTheCall) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));

  EXPECT_EQ(Read(context).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(ReadCallTest, AReaderThatGoesEndsTheCallOnTheServerToo) {
  request_.set_batch_size(1);
  grpc::ClientContext context;
  const auto stream = stub_->ReadExamples(&context, request_);
  v1::ReadExamplesResponse message;
  ASSERT_TRUE(stream->Read(&message));
  context.TryCancel();
  while (stream->Read(&message)) {
  }

  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  Stop();                     // returns only when the call has ended
  while (disk_.load() > 0) {  // the task that ended it returns
    std::this_thread::yield();
  }
}

TEST_F(ReadCallTest, AReaderGoesOnWhenItsVersionIsDeleted) {
  request_.set_batch_size(1);
  grpc::ClientContext context;
  const auto stream = stub_->ReadExamples(&context, request_);
  v1::ReadExamplesResponse message;
  ASSERT_TRUE(stream->Read(&message));
  ASSERT_TRUE(store_->Delete({.id = "iris", .version = 0, .sha256 = {}}).ok());
  std::int64_t count = 1;
  while (stream->Read(&message)) {
    ++count;
  }

  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(count, version_.train_count());
  ExpectFailure(Read(), grpc::StatusCode::NOT_FOUND, "there is no datasets/iris");
}

}  // namespace
}  // namespace millrace::data
