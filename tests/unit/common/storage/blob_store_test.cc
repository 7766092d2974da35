#include "common/storage/blob_store.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock/random.h"
#include "common/status/status.h"
#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string ReadAll(const std::string& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

void Overwrite(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::string RandomBytes(int count) {
  Random random(/*seed=*/1);
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    bytes.push_back(static_cast<char>(random.Below(256)));
  }
  return bytes;
}

class BlobStoreTest : public testing::Test {
 protected:
  static std::unique_ptr<BlobStore> Open(FileSystem& files, const std::string& folder) {
    auto blobs = BlobStore::Open(files, folder);
    EXPECT_TRUE(blobs.ok()) << blobs.status();
    return *std::move(blobs);
  }

  [[nodiscard]] std::vector<std::string> Files() const { return *PosixFileSystem().List(path_); }

  TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/blobs";
  std::unique_ptr<BlobStore> blobs_ = Open(PosixFileSystem(), path_);
};

TEST_F(BlobStoreTest, GivesBackWhatWasPutUnderItsDigest) {
  for (const std::string& bytes :
       {std::string(), std::string("x"), std::string(100'000, 'a'), RandomBytes(10'000)}) {
    const auto digest = blobs_->Put(bytes);
    ASSERT_TRUE(digest.ok()) << digest.status();
    EXPECT_EQ(*digest, ToHex(Sha256Of(bytes)));
    const auto read = blobs_->Get(*digest);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, bytes);
  }
}

TEST_F(BlobStoreTest, CompressesOnlyWhatGetsSmaller) {
  const auto zeros = blobs_->Put(std::string(100'000, '\0'));
  const auto noise = blobs_->Put(RandomBytes(10'000));
  ASSERT_TRUE(zeros.ok() && noise.ok());

  EXPECT_LT(std::filesystem::file_size(path_ + "/" + *zeros), 1'000U);
  EXPECT_EQ(std::filesystem::file_size(path_ + "/" + *noise), 10'016U) << "header and bytes";
}

TEST_F(BlobStoreTest, PuttingAgainWritesNothing) {
  ASSERT_TRUE(blobs_->Put("same").ok());
  FaultyFileSystem disk;

  ASSERT_TRUE(Open(disk, path_)->Put("same").ok());

  EXPECT_THAT(disk.operations(), ElementsAre("make folder", "sync folder", "sync folder"));
  EXPECT_EQ(Files().size(), 1U);
}

TEST_F(BlobStoreTest, BytesAreSyncedBeforeTheRenameAndTheFolderAfterIt) {
  FaultyFileSystem disk;

  ASSERT_TRUE(Open(disk, path_)->Put("bytes").ok());

  EXPECT_THAT(disk.operations(),
              ElementsAre("make folder",
                          "sync folder",
                          "create",
                          "append",
                          "append",
                          "sync",
                          "close",
                          "rename",
                          "sync folder"));
}

// Goal: whatever step fails, a blob is there whole or not at all, and trying again succeeds.
// Method: let each operation of one Put() fail in turn.
TEST_F(BlobStoreTest, AFailedPutLeavesNothingHalf) {
  const std::string bytes(5'000, 'b');
  const std::string digest = ToHex(Sha256Of(bytes));
  int failing = 3;  // 1 and 2 are the folders of Open()
  for (bool failed = true; failed; ++failing) {
    const TemporaryFolder folder;
    FaultyFileSystem disk(failing);
    const auto blobs = Open(disk, folder.path());
    const absl::Status status = blobs->Put(bytes).status();
    failed = !status.ok();
    if (failed) {
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
      EXPECT_THAT(std::string(Message(status)), HasSubstr("on purpose"));
    }
    const auto there = blobs->Get(digest);
    EXPECT_TRUE(there.ok() || absl::IsNotFound(there.status())) << failing << there.status();
    EXPECT_EQ(PosixFileSystem().List(folder.path())->size(), there.ok() ? 1U : 0U) << failing;

    const auto reopened = Open(PosixFileSystem(), folder.path());
    ASSERT_TRUE(reopened->Put(bytes).ok()) << failing;
    EXPECT_EQ(*reopened->Get(digest), bytes);
  }
  EXPECT_EQ(failing - 1, 10) << "seven operations failed once each, and one run without a fault";
}

TEST_F(BlobStoreTest, EveryDamagedByteIsNoticed) {
  for (const std::string& bytes : {std::string(300, 'c'), RandomBytes(100)}) {
    const std::string digest = *blobs_->Put(bytes);
    const std::string file = path_ + "/" + digest;
    const std::string stored = ReadAll(file);
    for (std::size_t i = 0; i < stored.size(); ++i) {
      std::string damaged = stored;
      damaged[i] = static_cast<char>(damaged[i] ^ 0x41);
      Overwrite(file, damaged);
      const absl::Status status = blobs_->Get(digest).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << "byte " << i;
      EXPECT_THAT(std::string(Message(status)), HasSubstr(digest));
    }
    for (std::size_t size = 0; size < stored.size(); ++size) {
      Overwrite(file, stored.substr(0, size));
      EXPECT_EQ(blobs_->Get(digest).status().code(), absl::StatusCode::kDataLoss) << size;
    }
    Overwrite(file, stored);
    EXPECT_TRUE(blobs_->Get(digest).ok());
  }
}

TEST_F(BlobStoreTest, ADamagedCopyIsRepairedByPuttingItAgain) {
  const std::string digest = *blobs_->Put("precious");
  Overwrite(path_ + "/" + digest, "rust");

  EXPECT_EQ(blobs_->Get(digest).status().code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(blobs_->Put("precious").ok());
  EXPECT_EQ(*blobs_->Get(digest), "precious");
}

TEST_F(BlobStoreTest, AnotherBlobsFileUnderThisNameIsNoticed) {
  const std::string one = *blobs_->Put("one");
  const std::string two = *blobs_->Put("two");
  Overwrite(path_ + "/" + one, ReadAll(path_ + "/" + two));

  const absl::Status status = blobs_->Get(one).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("its bytes have SHA-256 " + two));
}

TEST_F(BlobStoreTest, RemovesOnceAndBearsASecondTime) {
  const std::string digest = *blobs_->Put("bytes");

  EXPECT_TRUE(blobs_->Remove(digest).ok());
  EXPECT_TRUE(blobs_->Remove(digest).ok());
  EXPECT_EQ(blobs_->Get(digest).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(BlobStoreTest, NamesThatAreNoDigestsNeverReachTheDisk) {
  Overwrite(folder_.path() + "/outside", "secret");

  for (const std::string name : {"", "../outside", "a", "/etc/passwd"}) {
    EXPECT_EQ(blobs_->Get(name).status().code(), absl::StatusCode::kNotFound) << name;
    EXPECT_TRUE(blobs_->Remove(name).ok()) << name;
  }
  EXPECT_TRUE(std::filesystem::exists(folder_.path() + "/outside"));
}

TEST_F(BlobStoreTest, ListsBlobsAndNothingElse) {
  const std::string a = *blobs_->Put("1");
  const std::string b = *blobs_->Put("2");
  Overwrite(path_ + "/readme", "");

  EXPECT_THAT(*blobs_->List(), testing::UnorderedElementsAre(a, b));
}

TEST_F(BlobStoreTest, OpenRemovesWhatAnInterruptedWriterLeft) {
  const std::string digest = *blobs_->Put("kept");
  Overwrite(path_ + "/0011.tmp", "half");
  Overwrite(path_ + "/0022.part", "half");

  const auto reopened = Open(PosixFileSystem(), path_);

  EXPECT_THAT(Files(), ElementsAre(digest));
}

TEST_F(BlobStoreTest, ManyThreadsMayPutTheSameBytes) {
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int n = 0; n < 20; ++n) {
        EXPECT_TRUE(blobs_->Put(std::to_string(n)).ok());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }

  EXPECT_EQ(Files().size(), 20U);
}

TEST_F(BlobStoreTest, AStagedFileGrowsIsReadAndGoes) {
  auto staged = StagedFile::Create(PosixFileSystem(), path_);
  ASSERT_TRUE(staged.ok()) << staged.status();
  ASSERT_TRUE((*staged)->Append("one ").ok());
  ASSERT_TRUE((*staged)->Append("two").ok());
  ASSERT_TRUE((*staged)->Close().ok());

  EXPECT_EQ((*staged)->size(), 7);
  EXPECT_EQ(ReadAll((*staged)->path()), "one two");
  const absl::Status late = (*staged)->Append("three");
  EXPECT_EQ(late.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(late)), HasSubstr("is closed"));

  staged->reset();
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(BlobStoreTest, AStagedFileThatFailsIsRemovedToo) {
  for (int failing = 1; failing <= 3; ++failing) {  // create, append, close
    FaultyFileSystem disk(failing);
    const auto staged = StagedFile::Create(disk, path_);
    absl::Status status = staged.status();
    if (status.ok()) {
      status = (*staged)->Append("bytes");
    }
    if (status.ok()) {
      status = (*staged)->Close();
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << failing;
    EXPECT_THAT(std::string(Message(status)), HasSubstr("on purpose"));
  }
  EXPECT_THAT(Files(), IsEmpty());
}

}  // namespace
}  // namespace millrace::storage
