#include "clients/cli/default_spec.h"

#include <string>

#include <fmt/core.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/model/v1/training_spec.pb.h"

#include "clients/cli/figures.h"
#include "clients/cli/spelling.h"

namespace millrace::cli {

namespace {

using model::v1::TrainingSpec;

void AddDense(int units, model::v1::Activation activation, TrainingSpec& spec) {
  model::v1::Dense& dense = *spec.mutable_network()->add_layers()->mutable_dense();
  dense.set_units(units);
  dense.set_activation(activation);
}

void AddOutput(const schema::v1::TransformSet& transforms, TrainingSpec& spec) {
  switch (transforms.task()) {
    case schema::v1::TASK_BINARY:
      AddDense(1, model::v1::ACTIVATION_SIGMOID, spec);
      spec.set_loss(model::v1::LOSS_BINARY_CROSSENTROPY);
      break;
    case schema::v1::TASK_MULTICLASS:
      AddDense(transforms.label().classes_size(), model::v1::ACTIVATION_SOFTMAX, spec);
      spec.set_loss(model::v1::LOSS_CATEGORICAL_CROSSENTROPY);
      break;
    default:
      AddDense(1, model::v1::ACTIVATION_UNSPECIFIED, spec);  // any number
      spec.set_loss(model::v1::LOSS_MEAN_SQUARED_ERROR);
      break;
  }
}

std::string OptimizerWords(const model::v1::Optimizer& optimizer) {
  switch (optimizer.kind_case()) {
    case model::v1::Optimizer::kSgd:
      return fmt::format("sgd {}", optimizer.sgd().learning_rate());
    case model::v1::Optimizer::kAdam:
      return fmt::format("adam {}", optimizer.adam().learning_rate());
    case model::v1::Optimizer::kAdamw:
      return fmt::format("adamw {}", optimizer.adamw().learning_rate());
    case model::v1::Optimizer::kRmsprop:
      return fmt::format("rmsprop {}", optimizer.rmsprop().learning_rate());
    case model::v1::Optimizer::KIND_NOT_SET:
      break;
  }
  return "the usual optimizer";
}

}  // namespace

TrainingSpec DefaultSpec(const data::v1::DatasetVersion& dataset) {
  constexpr int kFirstUnits = 64;
  constexpr int kSecondUnits = 32;
  constexpr double kLearningRate = 0.001;
  constexpr int kBatch = 32;
  constexpr int kEpochsMax = 200;
  constexpr int kPatience = 16;
  TrainingSpec spec;
  AddDense(kFirstUnits, model::v1::ACTIVATION_RELU, spec);
  AddDense(kSecondUnits, model::v1::ACTIVATION_RELU, spec);
  AddOutput(dataset.transforms(), spec);
  spec.mutable_optimizer()->mutable_adam()->set_learning_rate(kLearningRate);
  spec.set_batch_size(kBatch);
  spec.set_epochs(kEpochsMax);
  if (dataset.validation_count() > 0) {
    spec.mutable_early_stopping()->set_patience(kPatience);
  }
  return spec;
}

std::string SpecLine(const TrainingSpec& spec) {
  std::string line = fmt::format("{}; {}; {}",
                                 NetworkLine(spec.network()),
                                 Spell(spec.loss()),
                                 OptimizerWords(spec.optimizer()));
  if (spec.batch_size() > 0) {
    line += fmt::format("; batches of {}", spec.batch_size());
  }
  if (spec.epochs() > 0) {
    line += fmt::format("; up to {} epochs", spec.epochs());
  }
  if (spec.has_early_stopping()) {
    line +=
        fmt::format(", ends after {} that validate no better", spec.early_stopping().patience());
  }
  return line;
}

}  // namespace millrace::cli
