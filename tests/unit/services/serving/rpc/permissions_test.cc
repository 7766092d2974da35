#include "services/serving/rpc/permissions.h"

#include <gtest/gtest.h>

#include "tests/unit/services/serving/rpc/serving_stack.h"

namespace millrace::serving {
namespace {

using security::Permission;

TEST(ServingPermissionsTest, NamesEveryMethodOfTheServicesAndNoOther) {
  const absl::Status status =
      rpc::CheckPermissions({v1::ServingService::service_full_name(),
                             inference::GRPCInferenceService::service_full_name()},
                            ServingPermissions());
  EXPECT_TRUE(status.ok()) << status;
}

TEST(ServingPermissionsTest, AServerOfTheServicesStartsWithThem) {
  const TestFolder folder;
  ServingStack stack(folder.path());
  const auto server =
      rpc::Server::Start({.permissions = ServingPermissions()}, {&stack.serving, &stack.inference});
  EXPECT_TRUE(server.ok()) << server.status();
}

TEST(ServingPermissionsTest, ReadersAskWritersBringOperatorsDecide) {
  const rpc::Permissions permissions = ServingPermissions();
  const auto of = [&](const std::string& method) {
    return permissions.at("millrace.serving.v1.ServingService/" + method);
  };
  for (const char* const method :
       {"Predict", "ListModels", "GetModel", "GetRoute", "ListRouteChanges"}) {
    EXPECT_EQ(of(method), Permission::kReader) << method;
  }
  for (const char* const method : {"UploadModel", "GetUpload"}) {
    EXPECT_EQ(of(method), Permission::kWriter) << method;
  }
  for (const char* const method : {"SetRoute", "DeleteModelVersion"}) {
    EXPECT_EQ(of(method), Permission::kOperator) << method;
  }
  EXPECT_EQ(permissions.at("inference.GRPCInferenceService/ModelInfer"), Permission::kReader);
}

}  // namespace
}  // namespace millrace::serving
