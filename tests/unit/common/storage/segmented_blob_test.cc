#include "common/storage/segmented_blob.h"

#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "common/storage/blob_store.h"
#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SegmentedBlobTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> Write(const std::vector<std::string>& segments) {
    ASSIGN_OR_RETURN(const auto writer, blobs_->NewSegmented());
    for (const std::string& segment : segments) {
      RETURN_IF_ERROR(writer->Append(segment));
    }
    return writer->Commit();
  }

  [[nodiscard]] std::vector<std::string> Files() const {
    return *PosixFileSystem().List(folder_.path());
  }

  TemporaryFolder folder_;
  std::unique_ptr<BlobStore> blobs_ = *BlobStore::Open(PosixFileSystem(), folder_.path());
};

TEST_F(SegmentedBlobTest, GivesBackEachSegmentByItself) {
  const std::string long_one(100'000, 'x');  // gets smaller
  const auto name = Write({"abc", long_one, ""});
  ASSERT_TRUE(name.ok()) << name.status();
  const auto blob = blobs_->OpenSegmented(*name);

  ASSERT_TRUE(blob.ok()) << blob.status();
  ASSERT_EQ(blob->count(), 3U);
  EXPECT_EQ(*blob->Read(1), long_one);
  EXPECT_EQ(*blob->Read(0), "abc");
  EXPECT_EQ(*blob->Read(2), "");
  EXPECT_THAT(Files(), ElementsAre(*name));
  EXPECT_EQ((*blobs_->OpenSegmented(*Write({}))).count(), 0U);
}

// Computed by other means from the documented bytes.
TEST_F(SegmentedBlobTest, TheNameIsTheDocumentedOne) {
  EXPECT_EQ(*Write({"abc", "de"}),
            "139d703535045f05eeeee4cb67487c5ab70736280c3620a5e9b6a1c15cbe40c4");
}

TEST_F(SegmentedBlobTest, TheNameSaysWhatTheSegmentsAre) {
  EXPECT_EQ(*Write({"abc", "de"}), *Write({"abc", "de"}));
  EXPECT_NE(*Write({"abc", "de"}), *Write({"ab", "cde"}));
  EXPECT_NE(*Write({"abc"}), *Write({"abc", ""}));
}

// Goal: what is read is what was written, whatever the disk did. Method: change each byte in turn,
// and cut the last. A bit that a zstd frame does not use may change unseen: then the segment is
// whole.
TEST_F(SegmentedBlobTest, NoDamageIsEverRead) {
  const std::vector<std::string> segments = {std::string(300, 'y'), "abcdefgh"};
  const std::string name = *Write(segments);
  const std::string path = folder_.path() + "/" + name;
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  const std::string whole = content.str();
  std::size_t noticed = 0;
  for (std::size_t at = 0; at <= whole.size(); ++at) {
    std::string damaged = whole;
    if (at < whole.size()) {
      damaged[at] = static_cast<char>(damaged[at] ^ 1);
    } else {
      damaged.pop_back();
    }
    std::ofstream(path, std::ios::binary) << damaged;
    const auto blob = blobs_->OpenSegmented(name);
    absl::Status status = blob.status();
    for (std::size_t i = 0; status.ok() && i < blob->count(); ++i) {
      const auto segment = blob->Read(i);
      status = segment.status();
      EXPECT_TRUE(!segment.ok() || *segment == segments[i]) << at;
    }
    if (!status.ok()) {
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << at << status;
      EXPECT_THAT(std::string(Message(status)), HasSubstr("blob ")) << at;
      ++noticed;
    }
  }
  EXPECT_GE(noticed + 3, whole.size()) << "all but a few bits of the frame's header";
}

TEST_F(SegmentedBlobTest, WritingItAgainRepairsIt) {
  const std::string name = *Write({"abc"});
  std::ofstream(folder_.path() + "/" + name, std::ios::binary) << "rust";
  ASSERT_FALSE(blobs_->OpenSegmented(name).ok());

  EXPECT_EQ(*Write({"abc"}), name);
  EXPECT_EQ(*blobs_->OpenSegmented(name)->Read(0), "abc");
}

TEST_F(SegmentedBlobTest, OneThatWasNotCommittedIsGone) {
  {
    const auto writer = blobs_->NewSegmented();
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Append("abc").ok());
  }
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_EQ(blobs_->OpenSegmented(std::string(64, '0')).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(blobs_->OpenSegmented("../x").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SegmentedBlobTest, BytesAreSyncedBeforeTheRenameAndTheFolderAfterIt) {
  FaultyFileSystem disk;
  const auto writer = SegmentedBlobWriter::Create(disk, folder_.path());
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Append("abc").ok());
  ASSERT_TRUE((*writer)->Commit().ok());

  EXPECT_THAT(
      disk.operations(),
      ElementsAre(
          "create", "append", "append", "append", "sync", "close", "rename", "sync folder"));
}

// Goal: whatever fails, a blob is there whole or not at all, and no other file is. Method: let each
// operation fail in turn.
TEST_F(SegmentedBlobTest, AFailureLeavesNothingHalf) {
  for (int failing = 1; failing <= 8; ++failing) {
    const TemporaryFolder folder;
    FaultyFileSystem disk(failing);
    absl::Status status;
    {
      const auto writer = SegmentedBlobWriter::Create(disk, folder.path());
      status = writer.status();
      if (status.ok()) {
        status = (*writer)->Append("abc");
      }
      if (status.ok()) {
        status = (*writer)->Commit().status();
      }
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << failing;
    EXPECT_THAT(std::string(Message(status)), HasSubstr("on purpose"));
    const auto left = *PosixFileSystem().List(folder.path());
    EXPECT_EQ(left.size(), failing == 8 ? 1U : 0U) << failing;
    for (const std::string& name : left) {
      EXPECT_EQ(*SegmentedBlob::Open(PosixFileSystem(), folder.path(), name)->Read(0), "abc");
    }
  }
}

}  // namespace
}  // namespace millrace::storage
