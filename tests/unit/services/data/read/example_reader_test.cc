#include "services/data/read/example_reader.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/services/data/read/numbered_examples.h"

namespace millrace::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

std::vector<float> FloatsOf(const std::string& bytes) {
  std::vector<float> numbers(bytes.size() / sizeof(float));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(float));
  return numbers;
}

v1::ReadExamplesRequest RequestOf(schema::v1::Split split) {
  v1::ReadExamplesRequest request;
  request.set_split(split);
  return request;
}

// All messages of a request.
std::vector<v1::ReadExamplesResponse> Read(const std::shared_ptr<const Examples>& examples,
                                           const v1::ReadExamplesRequest& request) {
  auto reader = ExampleReader::Create(examples, request);
  EXPECT_TRUE(reader.ok()) << reader.status();
  std::vector<v1::ReadExamplesResponse> messages;
  v1::ReadExamplesResponse message;
  for (auto more = reader->Next(message); more.ok() && *more; more = reader->Next(message)) {
    messages.push_back(message);
  }
  EXPECT_FALSE(*reader->Next(message)) << "the end stays the end";
  return messages;
}

// The features of all messages; with one input, the rows' numbers.
std::vector<float> RowsRead(const std::shared_ptr<const Examples>& examples,
                            const v1::ReadExamplesRequest& request) {
  std::vector<float> rows;
  for (const auto& message : Read(examples, request)) {
    for (const float number : FloatsOf(message.features())) {
      rows.push_back(number);
    }
  }
  return rows;
}

std::vector<float> UpTo(int count) {
  std::vector<float> numbers;
  for (int i = 0; i < count; ++i) {
    numbers.push_back(static_cast<float>(i));
  }
  return numbers;
}

absl::Status Failure(const v1::ReadExamplesRequest& request) {
  return ExampleReader::Create(NumberedExamples(10), request).status();
}

TEST(ExampleReaderTest, WithoutASeedTheOrderIsThatOfTheFile) {
  const auto examples = NumberedExamples(7);

  EXPECT_THAT(RowsRead(examples, RequestOf(schema::v1::SPLIT_TRAIN)), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(RowsRead(examples, RequestOf(schema::v1::SPLIT_VALIDATION)), ElementsAre(5));
  EXPECT_THAT(RowsRead(examples, RequestOf(schema::v1::SPLIT_TEST)), ElementsAre(6));
}

TEST(ExampleReaderTest, LabelsGoWithTheirRows) {
  v1::ReadExamplesRequest request = RequestOf(schema::v1::SPLIT_TRAIN);
  request.set_shuffle_seed(3);
  for (const auto& message : Read(NumberedExamples(20), request)) {
    const std::vector<float> features = FloatsOf(message.features());
    const std::vector<float> labels = FloatsOf(message.labels());
    ASSERT_EQ(features.size(), labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      EXPECT_EQ(labels[i], -features[i]);
    }
  }
}

TEST(ExampleReaderTest, BatchesHaveTheirSizeAndTheLastWhatIsLeft) {
  v1::ReadExamplesRequest request = RequestOf(schema::v1::SPLIT_TRAIN);
  request.set_batch_size(4);

  std::vector<int> counts;
  for (const auto& message : Read(NumberedExamples(12), request)) {
    counts.push_back(message.example_count());
    EXPECT_TRUE(message.batch_end());
  }
  EXPECT_THAT(counts, ElementsAre(4, 4, 2));

  request.set_batch_size(0);
  counts.clear();
  for (const auto& message : Read(NumberedExamples(1'502), request)) {
    counts.push_back(message.example_count());
  }
  EXPECT_THAT(counts, ElementsAre(1'024, 476));
}

TEST(ExampleReaderTest, ABatchOverOneMebibyteSpansMessages) {
  // 1,000 inputs and a label: 4,004 bytes an example, 261 a message.
  v1::ReadExamplesRequest request = RequestOf(schema::v1::SPLIT_TRAIN);
  request.set_batch_size(300);

  std::vector<int> counts;
  std::vector<bool> ends;
  std::vector<float> rows;
  for (const auto& message : Read(NumberedExamples(402, /*inputs=*/1'000), request)) {
    counts.push_back(message.example_count());
    ends.push_back(message.batch_end());
    EXPECT_LE(message.features().size() + message.labels().size(), kMessageBytesMax);
    const std::vector<float> features = FloatsOf(message.features());
    for (std::size_t i = 0; i < features.size(); i += 1'000) {
      rows.push_back(features[i]);
    }
  }
  EXPECT_THAT(counts, ElementsAre(261, 39, 100));
  EXPECT_THAT(ends, ElementsAre(false, true, true));
  EXPECT_EQ(rows, UpTo(400));
}

TEST(ExampleReaderTest, AShuffleIsAPermutationDecidedByItsSeed) {
  const auto examples = NumberedExamples(102);
  v1::ReadExamplesRequest request = RequestOf(schema::v1::SPLIT_TRAIN);
  request.set_shuffle_seed(0);
  const std::vector<float> rows = RowsRead(examples, request);

  EXPECT_THAT(rows, UnorderedElementsAreArray(UpTo(100)));
  EXPECT_NE(rows, UpTo(100)) << "seed 0 is a seed";
  EXPECT_EQ(RowsRead(examples, request), rows);
  request.set_batch_size(7);
  EXPECT_EQ(RowsRead(examples, request), rows) << "whatever the batch";
  request.set_shuffle_seed(1);
  EXPECT_NE(RowsRead(examples, request), rows);
}

TEST(ExampleReaderTest, ShardsPartitionTheOrder) {
  const auto examples = NumberedExamples(102);
  v1::ReadExamplesRequest request = RequestOf(schema::v1::SPLIT_TRAIN);
  request.set_shuffle_seed(5);
  const std::vector<float> whole = RowsRead(examples, request);
  request.set_shard_count(3);

  for (int shard = 0; shard < 3; ++shard) {
    request.set_shard_index(shard);
    std::vector<float> expected;
    for (std::size_t place = static_cast<std::size_t>(shard); place < whole.size(); place += 3) {
      expected.push_back(whole[place]);
    }
    EXPECT_EQ(RowsRead(examples, request), expected);
  }
}

TEST(ExampleReaderTest, MoreShardsThanRowsLeaveSomeEmpty) {
  v1::ReadExamplesRequest request = RequestOf(schema::v1::SPLIT_TEST);
  request.set_shard_count(4'096);

  EXPECT_THAT(RowsRead(NumberedExamples(10), request), ElementsAre(9));
  request.set_shard_index(4'095);
  EXPECT_THAT(RowsRead(NumberedExamples(10), request), IsEmpty());
}

TEST(ExampleReaderTest, WithoutALabelThereAreNoLabels) {
  const auto messages = Read(NumberedExamples(5, /*inputs=*/2, /*labelled=*/false),
                             RequestOf(schema::v1::SPLIT_TRAIN));

  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].labels(), "");
  EXPECT_THAT(FloatsOf(messages[0].features()), ElementsAre(0, 0, 1, 1, 2, 2));
}

TEST(ExampleReaderTest, RefusesWhatIsOutOfRange) {
  struct Case {
    int batch_size;
    int shard_index;
    int shard_count;
    std::string phrase;
  };

  const Case cases[] = {{-1, 0, 0, "batch_size must be in [0, 65536], found -1"},
                        {65'537, 0, 0, "found 65537"},
                        {0, 0, -1, "shard_count must be in [0, 4096], found -1"},
                        {0, 0, 4'097, "found 4097"},
                        {0, -1, 0, "shard_index must be in [0, 1), found -1"},
                        {0, 1, 0, "shard_index must be in [0, 1), found 1"},
                        {0, 3, 3, "shard_index must be in [0, 3), found 3"}};
  for (const Case& c : cases) {
    v1::ReadExamplesRequest request = RequestOf(schema::v1::SPLIT_TRAIN);
    request.set_batch_size(c.batch_size);
    request.set_shard_index(c.shard_index);
    request.set_shard_count(c.shard_count);
    const absl::Status status = Failure(request);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.phrase;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(c.phrase));
  }
  v1::ReadExamplesRequest largest = RequestOf(schema::v1::SPLIT_TRAIN);
  largest.set_batch_size(65'536);
  EXPECT_TRUE(Failure(largest).ok());
}

TEST(ExampleReaderTest, RefusesASplitThatIsNone) {
  for (const int split : {0, 4, -1}) {
    const absl::Status status = Failure(RequestOf(static_cast<schema::v1::Split>(split)));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << split;
    EXPECT_THAT(std::string(Message(status)), HasSubstr("split must be SPLIT_TRAIN"));
  }
}

}  // namespace
}  // namespace millrace::data
