#include "clients/cli/import.h"

#include <fstream>
#include <string>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/data/v1/data_service.pb.h"

#include "common/status/status.h"
#include "common/transfer/upload_store.h"
#include "tests/unit/clients/cli/command_test.h"
#include "tests/unit/clients/cli/samples.h"
#include "tests/unit/services/training/fails.h"

namespace millrace::cli {
namespace {

using data::v1::DatasetVersion;
using data::v1::ImportHeader;
using testing::HasSubstr;
using training::Fails;

class ImportTest : public ShellTest {
 protected:
  ImportTest() {
    header_.set_dataset("datasets/iris");
    data_.import_dataset =
        [this](const ImportHeader& header, const std::string& bytes, DatasetVersion& version) {
          sent_header_ = header;
          sent_bytes_ = bytes;
          version = SampleDataset();
          return absl::OkStatus();
        };
  }

  ImportHeader header_;
  ImportHeader sent_header_;
  std::string sent_bytes_;
};

TEST_F(ImportTest, AFileArrivesWholeAndNamed) {
  std::string bytes;
  for (int i = 0; i < 300'000; ++i) {
    bytes += std::to_string(i) + ",x\n";
  }
  header_.mutable_options()->set_label("species");
  const auto version = ImportFile(shell_, File("my iris=1.csv", bytes), header_);
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->name(), "datasets/iris/versions/1");
  EXPECT_EQ(sent_bytes_, bytes);
  EXPECT_EQ(sent_header_.dataset(), "datasets/iris");
  EXPECT_EQ(sent_header_.file_name(), "my iris=1.csv");
  EXPECT_EQ(sent_header_.options().label(), "species");
}

TEST_F(ImportTest, ProgressIsToldInLines) {
  ASSERT_TRUE(ImportFile(shell_, File("a.csv", std::string(3'000'000, 'x')), header_).ok());
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(err_.str(),
            "importing iris   34 %  1.05 MB\n"
            "importing iris   69 %  2.1 MB\n"
            "importing iris  100 %  3 MB\n");
}

TEST_F(ImportTest, AStreamThatBreaksGoesOnAndSaysSo) {
  int calls = 0;
  data_.import_dataset = [&](const ImportHeader& header,
                             const std::string&,
                             DatasetVersion& version) {
    EXPECT_TRUE(sent_header_.upload_id().empty() || sent_header_.upload_id() == header.upload_id());
    sent_header_ = header;
    version = SampleDataset();
    return ++calls < 3 ? Unavailable("the service restarts") : absl::OkStatus();
  };
  const auto version = ImportFile(shell_, File("a.csv", "a\n1\n"), header_);
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->name(), "datasets/iris/versions/1");
  EXPECT_EQ(sent_header_.upload_id().size(), 32U);
  EXPECT_THAT(err_.str(),
              HasSubstr("the upload broke off: the service restarts; trying to go on\n"
                        "sending it again from its start\n"));
}

TEST_F(ImportTest, ATerminalSaysWhatIsWaitedFor) {
  Console console(out_, err_, /*live=*/true);
  Shell shell{.console = console, .connection = connection_};
  ASSERT_TRUE(ImportFile(shell, File("a.csv", "a\n1\n"), header_).ok());
  EXPECT_THAT(err_.str(), HasSubstr("reading, cleaning and splitting"));
  EXPECT_THAT(err_.str(), testing::EndsWith("\r\x1b[K"));
}

TEST_F(ImportTest, AnEmptyFileIsTheServicesToRefuse) {
  data_.import_dataset = [](const ImportHeader&, const std::string& bytes, DatasetVersion&) {
    return bytes.empty() ? WithFix(InvalidArgument("a.csv is empty"), "give a file with rows")
                         : absl::OkStatus();
  };
  const auto version = ImportFile(shell_, File("a.csv", ""), header_);
  EXPECT_THAT(version, Fails(absl::StatusCode::kInvalidArgument, "a.csv is empty"));
  EXPECT_EQ(Fix(version.status()), "give a file with rows");
}

TEST_F(ImportTest, AMissingFileIsFoundOutBeforeAnythingIsCalled) {
  StopServer(data_server_);
  EXPECT_THAT(ImportFile(shell_, folder_.path() + "/none.csv", header_),
              Fails(absl::StatusCode::kNotFound, "there is no file"));
}

TEST_F(ImportTest, AFolderIsNoFile) {
  EXPECT_THAT(ImportFile(shell_, folder_.path(), header_),
              Fails(absl::StatusCode::kInvalidArgument, "it is no regular file"));
}

TEST_F(ImportTest, AWishToStopSaysHowToSeeWhatBecameOfIt) {
  ASSERT_TRUE(connection_.Data().ok());
  stop_.request_stop();
  const auto version = ImportFile(shell_, File("a.csv", "a\n1\n"), header_);
  EXPECT_THAT(version, Fails(absl::StatusCode::kCancelled, "interrupted"));
  EXPECT_EQ(Fix(version.status()), "'millrace dataset ls' shows whether the file was imported");
}

TEST_F(ImportTest, AWishToStopGivesUpTheUploadAndABreakDoesNot) {
  std::string deleted;
  data_.delete_upload = [&deleted](const transfer::v1::DeleteUploadRequest& request, auto&) {
    deleted = request.name();
    return absl::OkStatus();
  };
  data_.import_dataset = [this](const ImportHeader& header, const std::string&, DatasetVersion&) {
    sent_header_ = header;
    stop_.request_stop();
    return Unavailable("broken");
  };
  const auto version = ImportFile(shell_, File("a.csv", "a\n1\n"), header_);
  EXPECT_THAT(version,
              Fails(absl::StatusCode::kCancelled, "interrupted; what had arrived was deleted"));
  EXPECT_EQ(deleted, transfer::UploadName(sent_header_.upload_id()));

  deleted.clear();
  data_.import_dataset = [](const auto&, const auto&, auto&) { return InvalidArgument("no"); };
  Connection connection(Endpoints{.addresses = addresses_}, {});
  Shell shell{.console = console_, .connection = connection};
  EXPECT_FALSE(ImportFile(shell, File("a.csv", "a\n1\n"), header_).ok());
  EXPECT_EQ(deleted, "");
}

TEST_F(ImportTest, TheSummaryCountsRowsAndTellsWhatCleaningDid) {
  EXPECT_EQ(ImportSummary(SampleDataset()),
            "dataset  iris@1  sha256:dddddddddddd\n"
            "rows     149     train 104, validation 22, test 23\n"
            "columns  2       label 'species'\n"
            "CLEANING        COLUMN  COUNT  WHAT\n"
            "duplicate_rows  -           1  repeats row 102\n");
}

TEST_F(ImportTest, TheSummarySaysWhatIsNotThere) {
  DatasetVersion version = SampleDataset();
  version.mutable_options()->clear_label();
  version.clear_effects();
  const std::string summary = ImportSummary(version);
  EXPECT_THAT(summary, HasSubstr("no label\n"));
  EXPECT_THAT(summary, HasSubstr("cleaning found nothing to do\n"));
}

}  // namespace
}  // namespace millrace::cli
