// A dataset is what its bytes and options say, however it travelled.

#include <array>
#include <filesystem>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "common/storage/sha256.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"

namespace millrace::integration {
namespace {

using testing::SizeIs;

class ChunksTest : public LocalServicesTest {
 protected:
  static std::string Iris() { return ReadFile("tests/data/iris.csv"); }

  static data::v1::DatasetVersion ImportInChunks(const data::v1::ImportHeader& header,
                                                 const std::string& bytes,
                                                 std::size_t chunk_bytes) {
    return Send(clients().data(), MessagesOf(header, bytes, chunk_bytes)).value();
  }

  // What the data service keeps.
  static std::ptrdiff_t FileCount() {
    using Walk = std::filesystem::recursive_directory_iterator;
    return std::distance(Walk(services().folder(Service::kData)), Walk());
  }
};

TEST_F(ChunksTest, IdenticalBytesInAnyChunksAreTheSameVersion) {
  const auto header = HeaderOf("chunks", "iris.csv", "species");
  const auto first = ImportInChunks(header, Iris(), 1);
  EXPECT_EQ(first.name(), "datasets/chunks/versions/1");
  EXPECT_EQ(first.sources(0).sha256(), storage::ToHex(storage::Sha256Of(Iris())));
  const std::ptrdiff_t files = FileCount();
  constexpr std::array<std::size_t, 8> kSizes{2, 3, 7, 64, 1'000, 4'096, 65'536, 1'048'576};
  for (const std::size_t size : kSizes) {
    const auto again = ImportInChunks(header, Iris(), size);
    EXPECT_EQ(BytesOf(again), BytesOf(first)) << size << " bytes a chunk";
  }
  data::v1::ListDatasetsRequest request;
  request.set_dataset("datasets/chunks");
  EXPECT_EQ(Call(clients().data(), &DataStub::ListDatasets, request).value().datasets_size(), 1);
  EXPECT_EQ(FileCount(), files);
}

TEST_F(ChunksTest, AFileOfMoreThanOneChunkOfTheLargestSizeIsTheSameInSmallerOnes) {
  const std::string rows = Iris().substr(Iris().find('\n') + 1);
  std::string bytes = "a,b,c,d,species\n";
  while (bytes.size() <= (std::size_t{2} << 20)) {
    bytes += rows;
  }
  auto header = HeaderOf("large", "large.csv", "species");
  header.mutable_options()->set_keep_duplicates(true);
  const auto first = ImportInChunks(header, bytes, std::size_t{1} << 20);
  EXPECT_EQ(first.row_count() % 150, 0);
  EXPECT_EQ(BytesOf(ImportInChunks(header, bytes, 4'099)), BytesOf(first));
}

TEST_F(ChunksTest, AVersionIsFoundByItsDigestItsNumberAndAsTheNewest) {
  const auto version =
      ImportInChunks(HeaderOf("named", "iris.csv", "species"), Iris(), kChunkBytes);
  for (const std::string& name :
       {std::string("datasets/named"),
        std::string("datasets/named/versions/1"),
        fmt::format("datasets/named/versions/sha256:{}", version.sha256())}) {
    data::v1::GetDatasetRequest request;
    request.set_name(name);
    const auto found = Call(clients().data(), &DataStub::GetDataset, request).value();
    EXPECT_EQ(BytesOf(found), BytesOf(version)) << name;
  }
}

TEST_F(ChunksTest, OtherOptionsOrOtherBytesAreOtherVersions) {
  auto header = HeaderOf("others", "iris.csv", "species");
  std::set<std::string> digests{ImportInChunks(header, Iris(), kChunkBytes).sha256()};
  header.mutable_options()->set_split_seed(1);
  digests.insert(ImportInChunks(header, Iris(), kChunkBytes).sha256());
  header.mutable_options()->set_scaling(data::v1::SCALING_STANDARD);
  digests.insert(ImportInChunks(header, Iris(), kChunkBytes).sha256());
  const auto last =
      ImportInChunks(header, Iris().append("5.5,2.5,4.0,1.25,versicolor\n"), kChunkBytes);
  digests.insert(last.sha256());
  EXPECT_THAT(digests, SizeIs(4));
  EXPECT_EQ(last.name(), "datasets/others/versions/4");
}

TEST_F(ChunksTest, ADigestDoesNotDependOnTheNameOfTheDataset) {
  const auto one = ImportInChunks(HeaderOf("one", "iris.csv", "species"), Iris(), kChunkBytes);
  const auto two = ImportInChunks(HeaderOf("two", "iris.csv", "species"), Iris(), kChunkBytes);
  EXPECT_EQ(one.sha256(), two.sha256());
  EXPECT_NE(one.name(), two.name());
}

}  // namespace
}  // namespace millrace::integration
