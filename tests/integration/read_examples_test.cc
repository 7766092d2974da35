// ReadExamples: what training reads is the split, whole and once, in whatever parts and order.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"
#include "tests/integration/raw_table.h"

namespace millrace::integration {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAreArray;

class ReadExamplesTest : public LocalServicesTest {
 protected:
  static void SetUpTestSuite() {
    LocalServicesTest::SetUpTestSuite();
    imported = Import(clients().data(),
                      HeaderOf("examples", "breast_cancer.csv", "diagnosis"),
                      ReadFile("tests/data/breast_cancer.csv"))
                   .value();
  }

  static SplitExamples Read(const data::v1::ReadExamplesRequest& request) {
    return ReadSplit(clients().data(), request).value();
  }

  static data::v1::ReadExamplesRequest Train() {
    return SplitRequest(imported.name(), schema::v1::SPLIT_TRAIN);
  }

  static data::v1::DatasetVersion imported;
};

data::v1::DatasetVersion ReadExamplesTest::imported;

TEST_F(ReadExamplesTest, TheSplitsPartitionTheRowsOfTheFile) {
  const RawTable table = ParseTable(ReadFile("tests/data/breast_cancer.csv"));
  std::vector<std::size_t> seen;
  for (const auto split :
       {schema::v1::SPLIT_TRAIN, schema::v1::SPLIT_VALIDATION, schema::v1::SPLIT_TEST}) {
    const SplitExamples examples = Read(SplitRequest(imported.name(), split));
    const auto rows = RowsOfExamples(imported.transforms(), table, examples).value();
    EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
    seen.insert(seen.end(), rows.begin(), rows.end());
  }
  std::sort(seen.begin(), seen.end());
  ASSERT_EQ(seen.size(), table.rows.size());
  for (std::size_t row = 0; row < seen.size(); ++row) {
    EXPECT_EQ(seen[row], row);
  }
}

TEST_F(ReadExamplesTest, TheShardsPartitionASplit) {
  const SplitExamples whole = Read(Train());
  for (const int count : {1, 2, 3, 7, 500}) {
    std::vector<std::vector<float>> gathered;
    for (int index = 0; index < count; ++index) {
      auto request = Train();
      request.set_shard_count(count);
      request.set_shard_index(index);
      const SplitExamples shard = Read(request);
      for (std::size_t i = 0; i < shard.x.size(); ++i) {
        const std::size_t place =
            static_cast<std::size_t>(index) + i * static_cast<std::size_t>(count);
        ASSERT_LT(place, whole.x.size());
        EXPECT_EQ(shard.x[i], whole.x[place]);
        EXPECT_EQ(shard.labels[i], whole.labels[place]);
        gathered.push_back(shard.x[i]);
      }
    }
    EXPECT_EQ(gathered.size(), whole.x.size()) << count << " shards";
  }
}

TEST_F(ReadExamplesTest, AShuffleIsAPermutationAndTheSameOneForTheSameSeed) {
  const SplitExamples whole = Read(Train());
  auto request = Train();
  request.set_shuffle_seed(3);
  const SplitExamples shuffled = Read(request);
  EXPECT_NE(shuffled.x, whole.x);
  EXPECT_THAT(shuffled.x, UnorderedElementsAreArray(whole.x));
  std::map<std::vector<float>, float> label_of;
  for (std::size_t i = 0; i < whole.x.size(); ++i) {
    label_of.emplace(whole.x[i], whole.labels[i]);
  }
  for (std::size_t i = 0; i < shuffled.x.size(); ++i) {
    EXPECT_EQ(shuffled.labels[i], label_of.at(shuffled.x[i]));
  }
  EXPECT_EQ(Read(request).x, shuffled.x);
  request.set_shuffle_seed(4);
  EXPECT_NE(Read(request).x, shuffled.x);
}

TEST_F(ReadExamplesTest, TheShardsOfAShufflePartitionIt) {
  auto request = Train();
  request.set_shuffle_seed(0);  // a seed like any other
  const SplitExamples whole = Read(request);
  EXPECT_NE(whole.x, Read(Train()).x);
  std::vector<std::vector<float>> gathered;
  request.set_shard_count(4);
  for (int index = 0; index < 4; ++index) {
    request.set_shard_index(index);
    const SplitExamples shard = Read(request);
    gathered.insert(gathered.end(), shard.x.begin(), shard.x.end());
  }
  EXPECT_THAT(gathered, UnorderedElementsAreArray(whole.x));
}

TEST_F(ReadExamplesTest, TheBatchSizeChangesNothingButTheBatches) {
  const SplitExamples whole = Read(Train());
  for (const int size : {1, 32, 397, 398, 399, 65'536}) {
    auto request = Train();
    request.set_batch_size(size);
    const SplitExamples batched = Read(request);
    EXPECT_EQ(batched.x, whole.x) << size;
    EXPECT_EQ(batched.labels, whole.labels) << size;
  }
}

struct BadRead {
  const char* name;
  int batch_size;
  int shard_index;
  int shard_count;
  schema::v1::Split split;
  const char* phrase;
};

void PrintTo(const BadRead& bad, std::ostream* out) {
  *out << bad.name;
}

class BadReadTest : public LocalServicesTest, public testing::WithParamInterface<BadRead> {};

TEST_P(BadReadTest, IsRefusedWithWhatWasExpectedAndFound) {
  const auto version = Import(clients().data(),
                              HeaderOf("bad_read", "iris.csv", "species"),
                              ReadFile("tests/data/iris.csv"))
                           .value();
  auto request = SplitRequest(version.name(), GetParam().split);
  request.set_batch_size(GetParam().batch_size);
  request.set_shard_index(GetParam().shard_index);
  request.set_shard_count(GetParam().shard_count);
  const absl::Status status = ReadSplit(clients().data(), request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(status)), HasSubstr(GetParam().phrase));
}

INSTANTIATE_TEST_SUITE_P(
    Reads,
    BadReadTest,
    testing::Values(
        BadRead{"BatchBelow", -1, 0, 1, schema::v1::SPLIT_TEST, "batch_size must be in [0, 65536]"},
        BadRead{"BatchAbove", 65'537, 0, 1, schema::v1::SPLIT_TEST, "found 65537"},
        BadRead{"ShardAbove", 0, 3, 3, schema::v1::SPLIT_TEST, "shard_index must be in [0, 3)"},
        BadRead{"ShardBelow", 0, -1, 3, schema::v1::SPLIT_TEST, "shard_index must be in [0, 3)"},
        BadRead{"ShardsAbove", 0, 0, 4'097, schema::v1::SPLIT_TEST, "shard_count must be in"},
        BadRead{"NoSplit", 0, 0, 1, schema::v1::SPLIT_UNSPECIFIED, "split must be SPLIT_TRAIN"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace millrace::integration
