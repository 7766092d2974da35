// A data service whose disk is really full: what makes room works, what does not says what helps,
// and afterwards everything goes on by itself.

#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "common/status/status.h"
#include "tests/integration/clients.h"
#include "tests/integration/local_services.h"

namespace millrace::integration {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class FullDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = services_.folder(Service::kData);
    fs::create_directories(folder_);
    if (mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=48m") != 0) {
      GTEST_SKIP() << "a disk of its own needs the right to mount one";
    }
    mounted_ = true;
    Require(services_.Start(Service::kData));
    stub_ = data::v1::DataService::NewStub(rpc::MakeChannel(services_.address(Service::kData)));
    Require(ImportAs("kept"));
    Require(ImportAs("gone"));
  }

  void TearDown() override {
    if (mounted_) {
      services_.Kill(Service::kData).IgnoreError();
      umount2(folder_.c_str(), MNT_DETACH);
    }
  }

  absl::Status ImportAs(std::string_view dataset) {
    return Import(*stub_, HeaderOf(dataset, "iris.csv", "species"), ReadFile("tests/data/iris.csv"))
        .status();
  }

  absl::Status Delete(const std::string& name) {
    data::v1::DeleteDatasetRequest request;
    request.set_name(name);
    request.set_force(true);
    return Call(*stub_, &DataStub::DeleteDataset, request).status();
  }

  [[nodiscard]] int DatasetCount() {
    const auto list = Call(*stub_, &DataStub::ListDatasets, data::v1::ListDatasetsRequest());
    EXPECT_TRUE(list.ok()) << list.status();
    return list.ok() ? list->datasets_size() : -1;
  }

  // To the last byte, whatever else there is.
  void Fill() {
    std::ofstream file(folder_ + "/ballast", std::ios::app | std::ios::binary);
    const std::string block(4'096, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
    ASSERT_LT(fs::space(folder_).available, 64U << 10U);
  }

  void Empty() { fs::remove(folder_ + "/ballast"); }

  [[nodiscard]] std::size_t AuditFiles() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_ + "/audit"), fs::directory_iterator()));
  }

  LocalServices services_;
  std::string folder_;
  bool mounted_ = false;
  std::unique_ptr<DataStub> stub_;
};

TEST_F(FullDiskTest, DeletingWorksAndRefusedImportsLeaveNothing) {
  ASSERT_EQ(fs::file_size(folder_ + "/reserve"), std::size_t{16} << 20U) << "the default";
  Fill();
  const std::size_t files = AuditFiles();

  for (int i = 0; i < 300; ++i) {
    ASSERT_FALSE(ImportAs("more").ok());
  }
  EXPECT_LE(AuditFiles(), files + 1);

  const absl::Status deleted = Delete("datasets/gone");
  EXPECT_TRUE(deleted.ok()) << deleted;
  EXPECT_EQ(DatasetCount(), 1);

  Empty();
  const absl::Status imported = ImportAs("more");
  EXPECT_TRUE(imported.ok()) << imported << " although nobody started it again";
  EXPECT_EQ(fs::file_size(folder_ + "/reserve"), std::size_t{16} << 20U);
  ASSERT_TRUE(services_.Stop(Service::kData).ok());
  const auto verified = services_.RunProgram(Service::kData, {"--verify"});
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->exit_code, 0) << verified->output;
}

TEST_F(FullDiskTest, StartingWorksAndAnswersNameNoFolder) {
  Fill();
  const absl::Status started = services_.KillAndRestart(Service::kData);
  ASSERT_TRUE(started.ok()) << started;
  EXPECT_EQ(DatasetCount(), 2);

  const absl::Status refused = ImportAs("more");
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(std::string(Message(refused)), Not(HasSubstr(folder_)));
  EXPECT_TRUE(Delete("datasets/gone").ok());
}

}  // namespace
}  // namespace millrace::integration
