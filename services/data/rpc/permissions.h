// Permissions: what each method of DataService asks of its caller.

#pragma once

#include "common/rpc/access.h"

namespace millrace::data {

/// One entry a method.
inline rpc::Permissions DataPermissions() {
  using enum security::Permission;
  return {
      {"millrace.data.v1.DataService/ImportDataset", kWriter},
      {"millrace.data.v1.DataService/GetUpload", kWriter},
      {"millrace.data.v1.DataService/ListUploads", kOperator},
      {"millrace.data.v1.DataService/DeleteUpload", kWriter},
      {"millrace.data.v1.DataService/GetDataset", kReader},
      {"millrace.data.v1.DataService/ListDatasets", kReader},
      {"millrace.data.v1.DataService/GetStatistics", kReader},
      {"millrace.data.v1.DataService/ReadExamples", kReader},
      {"millrace.data.v1.DataService/ReadRows", kReader},
      {"millrace.data.v1.DataService/DeleteDataset", kOperator},
  };
}

}  // namespace millrace::data
