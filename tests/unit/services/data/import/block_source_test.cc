#include "services/data/import/block_source.h"

#include <stop_token>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/services/data/import/staged_text.h"

namespace millrace::data {
namespace {

// Reads every block.
absl::StatusOr<std::vector<Block>> Blocks(const StagedFile& file,
                                          std::int64_t block_bytes = BlockSizes::kBlockBytes,
                                          const std::stop_token& stop = {}) {
  BlockSource source(file, stop, {.block_bytes = block_bytes});
  std::vector<Block> blocks;
  Block block;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, source.Next(block));
    if (!more) {
      return blocks;
    }
    blocks.push_back(block);
  }
}

TEST(BlockSourceTest, CutsWhereRecordsEndAndCountsTheLines) {
  const auto blocks = Blocks(StagedText("a,b\n\"1\n2\",3\n4,5\n6,7"), /*block_bytes=*/5);

  ASSERT_TRUE(blocks.ok()) << blocks.status();
  ASSERT_EQ(blocks->size(), 4U);
  EXPECT_EQ((*blocks)[0].bytes, "a,b\n");
  EXPECT_EQ((*blocks)[1].bytes, "\"1\n2\",3\n") << "longer than a block, to the end of its record";
  EXPECT_EQ((*blocks)[2].bytes, "4,5\n");
  EXPECT_EQ((*blocks)[3].bytes, "6,7") << "the last one lacks its end";
  EXPECT_EQ((*blocks)[1].place.first_line, 2);
  EXPECT_EQ((*blocks)[2].place.first_line, 4);
  EXPECT_EQ((*blocks)[3].place.first_line, 5);
  EXPECT_EQ((*blocks)[3].place.index, 3U);
}

TEST(BlockSourceTest, BlocksTogetherAreTheFile) {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    text += i % 3 == 0 ? "\"x,\"\"\n\"\"\",1\r\n" : "yy,2\n";
  }
  const StagedFile file = StagedText(text);
  for (std::int64_t block_bytes = 1; block_bytes < 200; block_bytes += 13) {
    const auto blocks = Blocks(file, block_bytes);
    ASSERT_TRUE(blocks.ok()) << blocks.status();
    std::string together;
    const std::stop_token stop;
    const BlockSource source(file, stop, {.block_bytes = block_bytes});
    for (const Block& block : *blocks) {
      EXPECT_EQ(block.bytes.back(), '\n');
      EXPECT_EQ(block.place.offset, static_cast<std::int64_t>(together.size()));
      together += block.bytes;
      Block again;
      ASSERT_TRUE(source.Again(block.place, again).ok());
      EXPECT_EQ(again.bytes, block.bytes);
    }
    EXPECT_EQ(together, text);
  }
}

// Goal: a quote that is never closed does not bring the file into memory. Method: one of 30 MiB.
TEST(BlockSourceTest, ARecordWithoutAnEndIsCutOnceItIsOverTheLimit) {
  const StagedFile file = StagedText("\"" + std::string(std::size_t{30} << 20U, 'x') + "\n");
  const std::stop_token stop;
  BlockSource source(file, stop);
  Block block;
  ASSERT_TRUE(source.Next(block).ok());

  EXPECT_FALSE(block.place.ends_a_record);
  EXPECT_GT(block.place.size, std::int64_t{16} << 20);
  EXPECT_LT(block.place.size, std::int64_t{24} << 20);
}

TEST(BlockSourceTest, StopsBetweenChunksWhenAskedTo) {
  std::stop_source source;
  int reads = 0;
  const StagedFile file{
      .size = std::int64_t{5} << 20,
      .read = [&](std::int64_t /*offset*/, std::int64_t size) -> absl::StatusOr<std::string> {
        ++reads;
        source.request_stop();
        return std::string(static_cast<std::size_t>(size), '\n');
      }};
  const absl::Status status = Blocks(file, BlockSizes::kBlockBytes, source.get_token()).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Message(status), "the import was stopped at byte 1048576 of 5242880");
  EXPECT_EQ(reads, 1);
}

TEST(BlockSourceTest, ReturnsTheReadersErrorAsItCame) {
  const StagedFile file{.size = 10,
                        .read = [](std::int64_t, std::int64_t) -> absl::StatusOr<std::string> {
                          return Unavailable("the disk is gone");
                        }};
  const absl::Status status = Blocks(file).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Message(status), "the disk is gone");
}

TEST(BlockSourceTest, AFileThatIsShorterThanItSaysIsLost) {
  StagedFile file = StagedText("a,b\n");
  file.size = 9;
  const absl::Status status = Blocks(file).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Message(status), "the staged file must have 9 bytes at 0, found 4");
}

}  // namespace
}  // namespace millrace::data
