#include "common/state/state.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/state/small_state.h"
#include "tests/unit/common/storage/faulty_file_system.h"

namespace millrace::state {
namespace {

using storage::PosixFileSystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class StateTest : public testing::Test {
 protected:
  StateTest() { MakeSmallState(path_); }

  static StateReport VerifyAt(const std::string& path) {
    const auto report = Verify(PosixFileSystem(), path, SmallLayout());
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : StateReport();
  }

  static void ExpectFails(const absl::Status& status,
                          absl::StatusCode code,
                          const std::string& phrase) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(phrase));
  }

  [[nodiscard]] absl::Status Backup() const {
    return Copy(PosixFileSystem(), path_, SmallLayout(), copy_);
  }

  storage::TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/state";
  std::string copy_ = folder_.path() + "/copy";
};

TEST_F(StateTest, VerifyReadsEverythingThatIsUsed) {
  const StateReport report = VerifyAt(path_);

  EXPECT_THAT(report.damage, IsEmpty());
  EXPECT_EQ(report.blobs, 3);
  EXPECT_EQ(report.changes, 2);
  EXPECT_TRUE(std::filesystem::exists(path_ + "/uploads/1.part")) << "it changes nothing";
  EXPECT_TRUE(std::filesystem::exists(BlobPath(path_, "unused")));
}

TEST_F(StateTest, VerifyNamesEachDamagedBlobAndWhatNeedsIt) {
  std::filesystem::remove(BlobPath(path_, "one"));
  std::ofstream(BlobPath(path_, "two")) << "rust";
  std::ofstream(BlobPath(path_, "unused")) << "rust";

  EXPECT_THAT(VerifyAt(path_).damage,
              testing::UnorderedElementsAre(
                  AllOf(HasSubstr("is missing"), HasSubstr("things/also one and 1 more")),
                  AllOf(HasSubstr("no blob's header"), HasSubstr("needed by things/two"))));
}

TEST_F(StateTest, VerifyFindsEveryFlippedBit) {
  for (const std::string& file :
       {BlobPath(path_, "one"), LongPath(path_), path_ + "/audit/00000001.jsonl"}) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    for (std::int64_t at = 0; at < static_cast<std::int64_t>(std::filesystem::file_size(file));
         at += 7) {
      const auto flip = [&] {
        stream.seekg(at);
        const int byte = stream.get();
        stream.seekp(at);
        stream.put(static_cast<char>(byte ^ 1)).flush();
      };
      flip();
      EXPECT_THAT(VerifyAt(path_).damage, ElementsAre(HasSubstr(file.substr(file.rfind('/') + 1))))
          << file << " byte " << at;
      flip();
    }
  }
  EXPECT_THAT(VerifyAt(path_).damage, IsEmpty());
}

TEST_F(StateTest, VerifyNamesADamagedCatalogAndLooksAtTheRest) {
  std::ofstream(path_ + "/things.db") << "no database at all, and long enough to be read as one";
  std::ofstream(path_ + "/audit/00000001.jsonl") << "rust\n";

  EXPECT_THAT(VerifyAt(path_).damage,
              ElementsAre(HasSubstr("things.db"), HasSubstr("00000001.jsonl:1")));
}

TEST_F(StateTest, VerifyNamesARowThatIsNotWhatWasWritten) {
  std::string bytes;
  {
    std::ostringstream text;
    text << std::ifstream(path_ + "/things.db", std::ios::binary).rdbuf();
    bytes = text.str();
  }
  const std::size_t at = bytes.find("also one" + storage::ToHex(storage::Sha256Of("one")));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 10] ^= 1;  // in the digest, which no index has
  std::ofstream(path_ + "/things.db", std::ios::binary) << bytes;

  EXPECT_THAT(VerifyAt(path_).damage,
              testing::Contains(
                  HasSubstr("things.db: row 'also one' of table 'thing' is not what was written")));
}

TEST_F(StateTest, VerifyMissesACatalogThatIsGone) {
  std::filesystem::remove(path_ + "/things.db");

  EXPECT_THAT(VerifyAt(path_).damage,
              ElementsAre(AllOf(HasSubstr("things.db is missing"), HasSubstr("4 blobs"))));
}

TEST_F(StateTest, VerifyNamesAFormatThatCannotBeRead) {
  std::ofstream(path_ + "/format") << "rust";

  EXPECT_THAT(VerifyAt(path_).damage, ElementsAre(HasSubstr("format does not say")));
}

TEST_F(StateTest, VerifySaysWhyItCannotLook) {
  const auto verify = [&](const StateLayout& layout) {
    return Verify(PosixFileSystem(), path_, layout).status();
  };
  StateLayout older = SmallLayout();
  older.format.version = 1;
  ExpectFails(verify(older), absl::StatusCode::kFailedPrecondition, "newer Millrace");
  older = SmallLayout();
  older.catalog_version = 0;
  ExpectFails(verify(older), absl::StatusCode::kFailedPrecondition, "has schema version 1");
  const auto owner = storage::StateFolder::Open(PosixFileSystem(), path_, SmallLayout().format);
  ExpectFails(verify(SmallLayout()), absl::StatusCode::kFailedPrecondition, "in use");
  ExpectFails(Verify(PosixFileSystem(), copy_, SmallLayout()).status(),
              absl::StatusCode::kNotFound,
              "holds no state");
}

TEST_F(StateTest, ABackupThatIsRestoredIsTheStateThatWas) {
  ASSERT_TRUE(Backup().ok());
  std::filesystem::remove_all(path_);

  const absl::Status restored = Copy(PosixFileSystem(), copy_, SmallLayout(), path_);

  ASSERT_TRUE(restored.ok()) << restored;
  const StateReport report = VerifyAt(path_);
  EXPECT_THAT(report.damage, IsEmpty());
  EXPECT_EQ(report.blobs, 3);
  EXPECT_EQ(report.changes, 2);
  EXPECT_FALSE(std::filesystem::exists(path_ + "/uploads"));
  EXPECT_FALSE(std::filesystem::exists(BlobPath(path_, "unused")));
  const auto catalog = storage::Database::Open(path_ + "/things.db", SmallSchema());
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_EQ((*catalog)->Query("SELECT name FROM thing")->size(), 4U);
}

TEST_F(StateTest, AStateThatHoldsNothingYetIsCopiedToo) {
  const std::string empty = folder_.path() + "/empty";
  ASSERT_TRUE(storage::StateFolder::Open(PosixFileSystem(), empty, SmallLayout().format).ok());

  ASSERT_TRUE(Copy(PosixFileSystem(), empty, SmallLayout(), copy_).ok());

  EXPECT_EQ(VerifyAt(copy_).blobs, 0);
}

TEST_F(StateTest, ADamagedStateIsNotCopied) {
  std::filesystem::remove(BlobPath(path_, "one"));

  ExpectFails(Backup(), absl::StatusCode::kDataLoss, "is missing, needed by things/also one");
  EXPECT_FALSE(std::filesystem::exists(copy_));
}

TEST_F(StateTest, ACopyGoesIntoAnEmptyFolderOnly) {
  ASSERT_TRUE(Backup().ok());

  ExpectFails(Backup(), absl::StatusCode::kFailedPrecondition, "is not empty");
}

// Goal: a copy that was interrupted is nobody's state. Method: let each operation fail in turn.
TEST_F(StateTest, ACopyThatFailedIsOpenedByNobody) {
  int failing = 1;
  for (bool failed = true; failed; ++failing) {
    std::filesystem::remove_all(copy_);
    storage::FaultyFileSystem disk(failing);
    const absl::Status status = Copy(disk, path_, SmallLayout(), copy_);
    failed = disk.operations().size() >= static_cast<std::size_t>(failing);
    if (!failed) {
      EXPECT_TRUE(status.ok()) << status;
      break;
    }
    ExpectFails(status, absl::StatusCode::kUnavailable, "on purpose");
    const auto opened = Verify(PosixFileSystem(), copy_, SmallLayout());
    if (opened.ok()) {
      EXPECT_THAT(opened->damage, IsEmpty()) << failing << ": only the last sync had failed";
      EXPECT_EQ(opened->blobs, 3) << failing;
    } else if (!absl::IsNotFound(opened.status())) {
      ExpectFails(opened.status(), absl::StatusCode::kFailedPrecondition, "never finished");
    }
  }
  EXPECT_GT(failing, 30) << "three blobs, an audit log and the format twice";
}

}  // namespace
}  // namespace millrace::state
