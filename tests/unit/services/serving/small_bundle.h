// SmallBundle: a small model made by hand, and a folder to keep models in.

#pragma once

#include <filesystem>
#include <string>

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "common/model/bundle.h"
#include "common/network/network.h"
#include "common/status/check.h"

namespace millrace::serving {

inline void AddColumn(const std::string& name,
                      schema::v1::ColumnType type,
                      schema::v1::ColumnRole role,
                      schema::v1::Schema& schema) {
  schema::v1::Column& column = *schema.add_columns();
  column.set_name(name);
  column.set_type(type);
  column.set_role(role);
}

/// Announces a bundle for `models/{id}`.
inline v1::UploadHeader HeaderOf(const std::string& id) {
  v1::UploadHeader header;
  header.set_model("models/" + id);
  return header;
}

/// Columns: row (set aside), age (real, 0..80 to 0..1, missing means 40), colour (blue or red,
/// missing means red), outcome (the label: no, yes). The network is 4-5-1 with a sigmoid, or 4-5-3
/// with a softmax, or 4-5-1 for a regression. Other `weights` give another model.
inline model::Bundle SmallBundle(float weights = 1,
                                 schema::v1::Task task = schema::v1::TASK_BINARY) {
  model::Bundle bundle;
  auto& manifest = bundle.manifest;
  manifest.mutable_lineage()->set_run("runs/r-1");
  manifest.mutable_lineage()->set_dataset_version("datasets/people/versions/1");
  auto& schema = *manifest.mutable_schema();
  AddColumn("row", schema::v1::COLUMN_TYPE_IDENTIFIER, schema::v1::COLUMN_ROLE_SET_ASIDE, schema);
  AddColumn("age", schema::v1::COLUMN_TYPE_REAL, schema::v1::COLUMN_ROLE_FEATURE, schema);
  AddColumn("colour", schema::v1::COLUMN_TYPE_CATEGORY, schema::v1::COLUMN_ROLE_FEATURE, schema);
  AddColumn("outcome",
            task == schema::v1::TASK_REGRESSION ? schema::v1::COLUMN_TYPE_REAL
                                                : schema::v1::COLUMN_TYPE_CATEGORY,
            schema::v1::COLUMN_ROLE_LABEL,
            schema);
  schema.set_task(task);

  auto& transforms = *manifest.mutable_transforms();
  transforms.set_task(task);
  transforms.set_input_count(4);
  transforms.add_missing_spellings("n/a");
  auto& age = *transforms.add_features();
  *age.mutable_column() = schema.columns(1);
  age.set_number(40);
  age.mutable_linear()->set_scale(1.0 / 80);
  auto& colour = *transforms.add_features();
  *colour.mutable_column() = schema.columns(2);
  colour.set_category("red");
  colour.mutable_one_hot()->add_categories("blue");
  colour.mutable_one_hot()->add_categories("red");
  *transforms.mutable_label()->mutable_column() = schema.columns(3);

  auto& layers = *manifest.mutable_training()->mutable_network();
  auto& hidden = *layers.add_layers()->mutable_dense();
  hidden.set_units(5);
  hidden.set_activation(model::v1::ACTIVATION_TANH);
  auto& last = *layers.add_layers()->mutable_dense();
  last.set_units(1);
  if (task == schema::v1::TASK_BINARY) {
    last.set_activation(model::v1::ACTIVATION_SIGMOID);
    transforms.mutable_label()->add_classes("no");
    transforms.mutable_label()->add_classes("yes");
  } else if (task == schema::v1::TASK_MULTICLASS) {
    last.set_units(3);
    last.set_activation(model::v1::ACTIVATION_SOFTMAX);
    for (const char* const name : {"high", "low", "middle"}) {
      transforms.mutable_label()->add_classes(name);
    }
  }
  const auto network = network::Network::Create(manifest.training().network(), 4);
  CHECK(network.ok());
  for (const model::v1::Tensor& tensor : network->Tensors()) {
    *manifest.add_tensors() = tensor;
  }
  for (std::int64_t i = 0; i < network->parameter_count(); ++i) {
    bundle.weights.push_back(weights * (static_cast<float>((i * 7) % 11) / 8 - 0.5F));
  }
  return bundle;
}

inline std::string SmallBytes(float weights = 1, schema::v1::Task task = schema::v1::TASK_BINARY) {
  const auto bytes = model::WriteBundle(SmallBundle(weights, task));
  CHECK(bytes.ok());
  return *bytes;
}

/// A folder of the running test alone, removed afterwards.
class TestFolder {
 public:
  TestFolder() {
    const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = fmt::format(
        "{}serving.{}.{}.{}", testing::TempDir(), getpid(), test->test_suite_name(), test->name());
    std::filesystem::remove_all(path_);
  }

  ~TestFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }

  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace millrace::serving
