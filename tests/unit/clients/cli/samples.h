// Samples: a dataset version, a run and a model version as the services would tell of them.

#pragma once

#include <string>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/model/v1/bundle.pb.h"
#include "millrace/serving/v1/serving_service.pb.h"
#include "millrace/training/v1/training_service.pb.h"

namespace millrace::cli {

inline data::v1::DatasetVersion SampleDataset() {
  data::v1::DatasetVersion version;
  version.set_name("datasets/iris/versions/1");
  version.set_sha256(std::string(64, 'd'));
  version.mutable_create_time()->set_seconds(1'714'566'605);  // 2024-05-01 12:30:05
  version.set_row_count(149);
  version.set_train_count(104);
  version.set_validation_count(22);
  version.set_test_count(23);
  version.mutable_options()->set_label("species");
  schema::v1::Column& petal = *version.mutable_schema()->add_columns();
  petal.set_name("petal width (cm)");
  petal.set_type(schema::v1::COLUMN_TYPE_REAL);
  petal.set_role(schema::v1::COLUMN_ROLE_FEATURE);
  petal.set_reason("all 149 values are numbers");
  schema::v1::Column& species = *version.mutable_schema()->add_columns();
  species.set_name("species");
  species.set_type(schema::v1::COLUMN_TYPE_CATEGORY);
  species.set_role(schema::v1::COLUMN_ROLE_LABEL);
  data::v1::CleaningEffect& effect = *version.add_effects();
  effect.set_rule("duplicate_rows");
  effect.set_count(1);
  effect.set_explanation("repeats row 102");
  return version;
}

/// Of the test split; two classes.
inline model::v1::Evaluation SampleEvaluation() {
  model::v1::Evaluation evaluation;
  evaluation.set_split(schema::v1::SPLIT_TEST);
  evaluation.set_example_count(23);
  evaluation.set_loss(0.0931);
  evaluation.set_accuracy(0.9565);
  for (const int count : {11, 1, 0, 11}) {
    evaluation.add_confusion(count);
  }
  return evaluation;
}

inline model::v1::TrainingSpec SampleSpec() {
  model::v1::TrainingSpec spec;
  model::v1::Dense& dense = *spec.mutable_network()->add_layers()->mutable_dense();
  dense.set_units(16);
  dense.set_activation(model::v1::ACTIVATION_TANH);
  spec.mutable_network()->add_layers()->mutable_dropout()->set_rate(0.2);
  spec.mutable_network()->add_layers()->mutable_dense()->set_units(2);
  spec.set_epochs(20);
  spec.set_batch_size(16);
  spec.set_seed(7);
  return spec;
}

inline training::v1::Run SampleRun(training::v1::Run::State state) {
  training::v1::Run run;
  run.set_name("runs/amber-owl");
  run.set_dataset_version("datasets/iris/versions/1");
  run.set_model("models/iris");
  *run.mutable_spec() = SampleSpec();
  run.set_state(state);
  run.mutable_create_time()->set_seconds(1'714'566'605);
  if (state == training::v1::Run::STATE_SUCCEEDED) {
    run.set_epochs_done(20);
    run.set_best_epoch(15);
    run.set_model_version("models/iris/versions/3");
    run.set_weights_sha256(std::string(64, 'w'));
    *run.add_evaluations() = SampleEvaluation();
  }
  return run;
}

inline model::v1::Lineage SampleLineage() {
  model::v1::Lineage lineage;
  lineage.set_model_version("models/iris/versions/3");
  lineage.set_bundle_sha256(std::string(64, 'b'));
  lineage.set_run("runs/amber-owl");
  lineage.set_weights_sha256(std::string(64, 'w'));
  lineage.set_dataset_version("datasets/iris/versions/1");
  lineage.set_dataset_sha256(std::string(64, 'd'));
  model::v1::Source& source = *lineage.add_sources();
  source.set_name("iris.csv");
  source.set_sha256(std::string(64, 'f'));
  lineage.set_build("0.1.0");
  lineage.set_kernel_level("avx2");
  return lineage;
}

/// Features `petal width (cm)`, `a` and `a=b`; label `species` of two classes.
inline serving::v1::ModelVersion SampleModel() {
  serving::v1::ModelVersion version;
  version.set_name("models/iris/versions/3");
  version.mutable_create_time()->set_seconds(1'714'566'605);
  version.set_size_bytes(12'345);
  version.set_traffic_percent(100);
  model::v1::BundleManifest& manifest = *version.mutable_manifest();
  schema::v1::TransformSet& transforms = *manifest.mutable_transforms();
  for (const char* const name : {"petal width (cm)", "a", "a=b"}) {
    schema::v1::FeatureTransform& feature = *transforms.add_features();
    feature.mutable_column()->set_name(name);
    feature.mutable_column()->set_type(schema::v1::COLUMN_TYPE_REAL);
    feature.set_number(1.25);
    feature.mutable_linear()->set_scale(1);
  }
  transforms.mutable_label()->mutable_column()->set_name("species");
  transforms.mutable_label()->add_classes("setosa");
  transforms.mutable_label()->add_classes("virginica");
  transforms.set_input_count(3);
  *manifest.mutable_training() = SampleSpec();
  *manifest.add_evaluations() = SampleEvaluation();
  *manifest.mutable_lineage() = SampleLineage();
  return version;
}

}  // namespace millrace::cli
