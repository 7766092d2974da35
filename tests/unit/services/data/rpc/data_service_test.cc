#include "services/data/rpc/data_service.h"

#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "tests/unit/services/data/rpc/running_service.h"

namespace millrace::data {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class DataServiceTest : public RunningService {
 protected:
  grpc::Status Get(const std::string& name) {
    grpc::ClientContext context;
    v1::GetDatasetRequest request;
    request.set_name(name);
    return stub_->GetDataset(&context, request, &version_);
  }

  grpc::Status List(const v1::ListDatasetsRequest& request) {
    grpc::ClientContext context;
    return stub_->ListDatasets(&context, request, &page_);
  }

  grpc::Status Statistics(const std::string& name) {
    grpc::ClientContext context;
    v1::GetStatisticsRequest request;
    request.set_name(name);
    return stub_->GetStatistics(&context, request, &statistics_);
  }

  grpc::Status Delete(const std::string& name, bool force = true) {
    grpc::ClientContext context;
    v1::DeleteDatasetRequest request;
    request.set_name(name);
    request.set_force(force);
    return stub_->DeleteDataset(&context, request, &deleted_);
  }

  grpc::Status DeleteVersion(const std::string& name) {
    grpc::ClientContext context;
    v1::DeleteDatasetVersionRequest request;
    request.set_name(name);
    v1::DeleteDatasetVersionResponse response;
    return stub_->DeleteDatasetVersion(&context, request, &response);
  }

  v1::ListDatasetsResponse page_;
  v1::GetStatisticsResponse statistics_;
  v1::DeleteDatasetResponse deleted_;
};

TEST_F(DataServiceTest, AnImportedFileIsDescribedListedMeasuredAndDeleted) {
  ASSERT_TRUE(Import(UploadOf("datasets/iris", Iris(), 1'000)).ok());
  const std::string digest = version_.sha256();

  ASSERT_TRUE(Get("datasets/iris").ok());
  EXPECT_EQ(version_.name(), "datasets/iris/versions/1");
  EXPECT_EQ(version_.schema().columns_size(), 5);
  EXPECT_EQ(version_.schema().task(), schema::v1::TASK_MULTICLASS);
  EXPECT_EQ(version_.transforms().input_count(), 4);
  EXPECT_EQ(version_.sources(0).name(), "iris.csv");
  EXPECT_EQ(version_.sources(0).sha256(), storage::ToHex(storage::Sha256Of(Iris())));
  EXPECT_EQ(version_.sources(0).size_bytes(), static_cast<std::int64_t>(Iris().size()));
  EXPECT_EQ(version_.train_count() + version_.validation_count() + version_.test_count(),
            version_.row_count());
  ASSERT_TRUE(Get("datasets/iris/versions/1").ok());
  ASSERT_TRUE(Get("datasets/iris/versions/sha256:" + digest).ok());
  EXPECT_EQ(version_.sha256(), digest);

  ASSERT_TRUE(Statistics("datasets/iris").ok());
  EXPECT_EQ(statistics_.raw().row_count(), 150);
  EXPECT_EQ(statistics_.train().row_count(), version_.train_count());
  EXPECT_EQ(statistics_.test().row_count(), version_.test_count());

  EXPECT_THAT(Names(), ElementsAre("datasets/iris/versions/1"));
  ASSERT_TRUE(Delete("datasets/iris").ok());
  EXPECT_EQ(deleted_.deleted_count(), 1);
  EXPECT_THAT(Names(), IsEmpty());
  ExpectNothingLeft();
}

TEST_F(DataServiceTest, ADatasetGoesWithItsVersionsOnlyWhereThatIsSaid) {
  ASSERT_TRUE(Import(UploadOf("datasets/iris", Iris(), 10'000)).ok());
  ExpectFailure(Delete("datasets/iris", /*force=*/false),
                grpc::StatusCode::FAILED_PRECONDITION,
                "datasets/iris has versions");
  ExpectFailure(Delete("datasets/iris/versions/1"),
                grpc::StatusCode::INVALID_ARGUMENT,
                "name must be without a version");
  ExpectFailure(DeleteVersion("datasets/iris"),
                grpc::StatusCode::INVALID_ARGUMENT,
                "name must be one of a version");
  ExpectFailure(Delete("datasets/none", /*force=*/false),
                grpc::StatusCode::NOT_FOUND,
                "there is no datasets/none");
  EXPECT_THAT(Names(), ElementsAre("datasets/iris/versions/1"));

  EXPECT_TRUE(DeleteVersion("datasets/iris/versions/1").ok());

  EXPECT_THAT(Names(), IsEmpty());
  ExpectNothingLeft();
}

TEST_F(DataServiceTest, OperatorsDeleteWritersImportReadersRead) {
  using security::Permission;
  const auto of = [](const std::string& method) {
    return DataService::Permissions().at("millrace.data.v1.DataService/" + method);
  };
  EXPECT_EQ(of("DeleteDataset"), Permission::kOperator);
  EXPECT_EQ(of("DeleteDatasetVersion"), Permission::kOperator);
  EXPECT_EQ(of("ImportDataset"), Permission::kWriter);
  EXPECT_EQ(of("ReadRows"), Permission::kReader);
}

TEST_F(DataServiceTest, ListsPageByPage) {
  for (const char* const name : {"datasets/a", "datasets/b", "datasets/c"}) {
    ASSERT_TRUE(Import(UploadOf(name, Iris(), 10'000)).ok());
  }
  v1::ListDatasetsRequest request;
  request.set_page_size(2);
  ASSERT_TRUE(List(request).ok());
  ASSERT_EQ(page_.datasets_size(), 2);
  EXPECT_EQ(page_.datasets(0).name(), "datasets/c/versions/1");

  request.set_page_token(page_.next_page_token());
  ASSERT_TRUE(List(request).ok());
  ASSERT_EQ(page_.datasets_size(), 1);
  EXPECT_EQ(page_.datasets(0).name(), "datasets/a/versions/1");
  EXPECT_EQ(page_.next_page_token(), "");

  v1::ListDatasetsRequest one;
  one.set_dataset("datasets/b");
  ASSERT_TRUE(List(one).ok());
  ASSERT_EQ(page_.datasets_size(), 1);
  EXPECT_EQ(page_.datasets(0).name(), "datasets/b/versions/1");
}

TEST_F(DataServiceTest, UnknownDatasetsAreNotFound) {
  for (const grpc::Status& status :
       {Get("datasets/none"), Statistics("datasets/none"), Delete("datasets/none")}) {
    ExpectFailure(status, grpc::StatusCode::NOT_FOUND, "there is no datasets/none");
  }
}

TEST_F(DataServiceTest, BadNamesAreInvalid) {
  for (const std::string name : {"", "none", "datasets/../../etc", "models/a", "datasets/A"}) {
    for (const grpc::Status& status : {Get(name), Statistics(name), Delete(name)}) {
      ExpectFailure(status,
                    grpc::StatusCode::INVALID_ARGUMENT,
                    "name must be 'datasets/{id}' or 'datasets/{id}/versions/{number");
    }
  }
}

TEST_F(DataServiceTest, BadPagesAreInvalid) {
  v1::ListDatasetsRequest request;
  for (const int size : {-1, 1'001}) {
    request.set_page_size(size);
    ExpectFailure(List(request),
                  grpc::StatusCode::INVALID_ARGUMENT,
                  fmt::format("page_size must be in [0, 1000], found {}", size));
  }
  request.set_page_size(1'000);
  EXPECT_TRUE(List(request).ok());
  request.set_page_token("made up");
  ExpectFailure(List(request), grpc::StatusCode::INVALID_ARGUMENT, "page_token");
  request.set_page_token("");
  request.set_dataset("datasets/a/versions/1");
  ExpectFailure(List(request), grpc::StatusCode::INVALID_ARGUMENT, "without a version");
}

}  // namespace
}  // namespace millrace::data
