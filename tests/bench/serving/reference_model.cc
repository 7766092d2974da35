#include "tests/bench/serving/reference_model.h"

#include <vector>

#include <fmt/core.h>

#include "common/model/bundle.h"
#include "common/network/network.h"
#include "common/status/check.h"

namespace millrace::serving {

namespace {

constexpr int kFeatures = 30;

// Names as long as those of the breast cancer file.
std::vector<std::string> FeatureNames() {
  std::vector<std::string> names;
  for (const std::string kind : {"mean", "error", "worst"}) {
    for (const std::string what : {"radius",
                                   "texture",
                                   "perimeter",
                                   "area",
                                   "smoothness",
                                   "compactness",
                                   "concavity",
                                   "concave points",
                                   "symmetry",
                                   "fractal dimension"}) {
      names.push_back(fmt::format("{} {}", kind, what));
    }
  }
  CHECK(names.size() == kFeatures);
  return names;
}

void FillTransforms(model::v1::BundleManifest& manifest) {
  auto& transforms = *manifest.mutable_transforms();
  transforms.set_task(schema::v1::TASK_BINARY);
  transforms.set_input_count(kFeatures);
  for (const std::string& name : FeatureNames()) {
    schema::v1::Column& column = *manifest.mutable_schema()->add_columns();
    column.set_name(name);
    column.set_type(schema::v1::COLUMN_TYPE_REAL);
    column.set_role(schema::v1::COLUMN_ROLE_FEATURE);
    auto& feature = *transforms.add_features();
    *feature.mutable_column() = column;
    feature.set_number(0.5);
    feature.mutable_linear()->set_scale(0.01);
  }
  schema::v1::Column& label = *manifest.mutable_schema()->add_columns();
  label.set_name("diagnosis");
  label.set_type(schema::v1::COLUMN_TYPE_CATEGORY);
  label.set_role(schema::v1::COLUMN_ROLE_LABEL);
  *transforms.mutable_label()->mutable_column() = label;
  transforms.mutable_label()->add_classes("benign");
  transforms.mutable_label()->add_classes("malignant");
}

void FillLineage(model::v1::Lineage& lineage) {
  lineage.set_run("runs/r-20260101-0123456789abcdef");
  lineage.set_dataset_version("datasets/breast-cancer/versions/1");
  lineage.set_dataset_sha256(std::string(64, 'd'));
  lineage.set_build("0.1.0 0123456789abcdef0123456789abcdef01234567");
  lineage.set_kernel_level("AVX2");
  auto& source = *lineage.add_sources();
  source.set_name("breast_cancer.csv");
  source.set_sha256(std::string(64, 's'));
  source.set_size_bytes(119'913);
}

void AddDense(int units, model::v1::Activation activation, model::v1::NetworkSpec& spec) {
  model::v1::Dense& dense = *spec.add_layers()->mutable_dense();
  dense.set_units(units);
  dense.set_activation(activation);
}

}  // namespace

std::string ReferenceBundle(const std::vector<int>& hidden) {
  model::Bundle bundle;
  FillTransforms(bundle.manifest);
  FillLineage(*bundle.manifest.mutable_lineage());
  auto& spec = *bundle.manifest.mutable_training()->mutable_network();
  for (const int units : hidden) {
    AddDense(units, model::v1::ACTIVATION_RELU, spec);
  }
  AddDense(1, model::v1::ACTIVATION_SIGMOID, spec);
  const auto network = network::Network::Create(spec, kFeatures);
  CHECK(network.ok());
  for (const model::v1::Tensor& tensor : network->Tensors()) {
    *bundle.manifest.add_tensors() = tensor;
  }
  bundle.weights.resize(static_cast<std::size_t>(network->parameter_count()));
  network->Initialize(/*seed=*/7, bundle.weights);
  const auto bytes = model::WriteBundle(bundle);
  CHECK(bytes.ok());
  return *bytes;
}

v1::PredictRequest ReferencePredictRequest(const std::string& id, int rows) {
  v1::PredictRequest request;
  request.set_model(fmt::format("models/{}", id));
  for (const std::string& name : FeatureNames()) {
    request.add_columns(name);
  }
  for (int i = 0; i < rows; ++i) {
    schema::v1::Row& row = *request.add_rows();
    for (int column = 1; column <= kFeatures; ++column) {
      row.add_values()->set_number(3.25 * column);
    }
  }
  return request;
}

inference::ModelInferRequest ReferenceInferRequest(const std::string& id, int rows) {
  inference::ModelInferRequest request;
  request.set_model_name(id);
  auto& input = *request.add_inputs();
  input.set_name("features");
  input.set_datatype("FP32");
  input.add_shape(rows);
  input.add_shape(kFeatures);
  std::vector<float> x(static_cast<std::size_t>(rows) * kFeatures);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = 0.03F * static_cast<float>(i % kFeatures);
  }
  request.add_raw_input_contents(reinterpret_cast<const char*>(x.data()), x.size() * sizeof(float));
  return request;
}

}  // namespace millrace::serving
