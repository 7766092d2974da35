#include "services/training/train/spec.h"

#include <cstdint>
#include <string_view>

#include "common/status/status.h"

namespace millrace::training {

namespace {

using model::v1::Optimizer;
using model::v1::TrainingSpec;

constexpr std::int32_t kPatienceMax = 100'000;
constexpr std::int32_t kThreadsMax = 64;
constexpr double kLearningRateMax = 10;

double Or(double value, double fallback) {
  return value == 0 ? fallback : value;
}

// Adam and AdamW have the same fields.
template <typename Adam>
void FillAdam(Adam& adam) {
  adam.set_learning_rate(Or(adam.learning_rate(), 0.001));
  adam.set_beta_1(Or(adam.beta_1(), 0.9));
  adam.set_beta_2(Or(adam.beta_2(), 0.999));
  adam.set_epsilon(Or(adam.epsilon(), 1e-7));
}

void FillOptimizer(Optimizer& optimizer) {
  switch (optimizer.kind_case()) {
    case Optimizer::kSgd:
      optimizer.mutable_sgd()->set_learning_rate(Or(optimizer.sgd().learning_rate(), 0.01));
      return;
    case Optimizer::kAdamw:
      FillAdam(*optimizer.mutable_adamw());
      optimizer.mutable_adamw()->set_weight_decay(Or(optimizer.adamw().weight_decay(), 0.004));
      return;
    case Optimizer::kRmsprop: {
      auto& rmsprop = *optimizer.mutable_rmsprop();
      rmsprop.set_learning_rate(Or(rmsprop.learning_rate(), 0.001));
      rmsprop.set_rho(Or(rmsprop.rho(), 0.9));
      rmsprop.set_epsilon(Or(rmsprop.epsilon(), 1e-7));
      return;
    }
    case Optimizer::kAdam:
    case Optimizer::KIND_NOT_SET:
      FillAdam(*optimizer.mutable_adam());
      return;
  }
}

absl::Status CheckCount(std::string_view field,
                        std::int32_t value,
                        std::int64_t least,
                        std::int64_t most) {
  if (value < least || value > most) {
    return InvalidArgument("training.{} must be in [{}, {}], found {}", field, least, most, value);
  }
  return absl::OkStatus();
}

// The conditions are written so that NaN fails them.
absl::Status CheckLearningRate(std::string_view optimizer, double value) {
  if (!(value > 0 && value <= kLearningRateMax)) {
    return InvalidArgument("training.optimizer.{}.learning_rate must be in (0, {}], found {}",
                           optimizer,
                           kLearningRateMax,
                           value);
  }
  return absl::OkStatus();
}

absl::Status CheckShare(std::string_view optimizer, std::string_view field, double value) {
  if (!(value >= 0 && value < 1)) {
    return InvalidArgument(
        "training.optimizer.{}.{} must be in [0, 1), found {}", optimizer, field, value);
  }
  return absl::OkStatus();
}

absl::Status CheckEpsilon(std::string_view optimizer, double value) {
  if (!(value > 0 && value <= 1)) {
    return InvalidArgument(
        "training.optimizer.{}.epsilon must be in (0, 1], found {}", optimizer, value);
  }
  return absl::OkStatus();
}

template <typename Adam>
absl::Status CheckAdam(std::string_view name, const Adam& adam) {
  RETURN_IF_ERROR(CheckLearningRate(name, adam.learning_rate()));
  RETURN_IF_ERROR(CheckShare(name, "beta_1", adam.beta_1()));
  RETURN_IF_ERROR(CheckShare(name, "beta_2", adam.beta_2()));
  return CheckEpsilon(name, adam.epsilon());
}

absl::Status CheckOptimizer(const Optimizer& optimizer) {
  switch (optimizer.kind_case()) {
    case Optimizer::kSgd:
      RETURN_IF_ERROR(CheckLearningRate("sgd", optimizer.sgd().learning_rate()));
      return CheckShare("sgd", "momentum", optimizer.sgd().momentum());
    case Optimizer::kAdam:
      return CheckAdam("adam", optimizer.adam());
    case Optimizer::kAdamw:
      RETURN_IF_ERROR(CheckAdam("adamw", optimizer.adamw()));
      return CheckShare("adamw", "weight_decay", optimizer.adamw().weight_decay());
    case Optimizer::kRmsprop:
      RETURN_IF_ERROR(CheckLearningRate("rmsprop", optimizer.rmsprop().learning_rate()));
      RETURN_IF_ERROR(CheckShare("rmsprop", "rho", optimizer.rmsprop().rho()));
      return CheckEpsilon("rmsprop", optimizer.rmsprop().epsilon());
    case Optimizer::KIND_NOT_SET:
      break;
  }
  return InvalidArgument("training.optimizer is not set");
}

absl::Status CheckEarlyStopping(const TrainingSpec& spec) {
  if (!spec.has_early_stopping()) {
    return absl::OkStatus();
  }
  const auto& stopping = spec.early_stopping();
  RETURN_IF_ERROR(CheckCount("early_stopping.patience", stopping.patience(), 1, kPatienceMax));
  if (!(stopping.min_delta() >= 0 && stopping.min_delta() <= 1e9)) {
    return InvalidArgument("training.early_stopping.min_delta must be in [0, 1e9], found {}",
                           stopping.min_delta());
  }
  return absl::OkStatus();
}

absl::Status CheckSize(const model::v1::NetworkSpec& spec, const SpecLimits& limits) {
  RETURN_IF_ERROR(network::CheckLayerCount(spec, limits.layers_max));
  for (int i = 0; i < spec.layers_size(); ++i) {
    RETURN_IF_ERROR(network::CheckUnits(spec.layers(i), i, limits.units_max));
  }
  return absl::OkStatus();
}

}  // namespace

void FillDefaults(TrainingSpec& spec) {
  FillOptimizer(*spec.mutable_optimizer());
  if (spec.epochs() == 0) {
    spec.set_epochs(20);
  }
  if (spec.batch_size() == 0) {
    spec.set_batch_size(32);
  }
  for (auto& layer : *spec.mutable_network()->mutable_layers()) {
    if (layer.has_dense() && layer.dense().initializer() == model::v1::INITIALIZER_UNSPECIFIED) {
      layer.mutable_dense()->set_initializer(model::v1::INITIALIZER_GLOROT_UNIFORM);
    }
  }
}

absl::Status Validate(const TrainingSpec& spec, const SpecLimits& limits) {
  RETURN_IF_ERROR(CheckOptimizer(spec.optimizer()));
  RETURN_IF_ERROR(CheckCount("epochs", spec.epochs(), 1, limits.epochs_max));
  RETURN_IF_ERROR(CheckCount("batch_size", spec.batch_size(), 1, limits.batch_size_max));
  RETURN_IF_ERROR(CheckEarlyStopping(spec));
  RETURN_IF_ERROR(CheckCount("threads", spec.threads(), 0, kThreadsMax));
  return CheckSize(spec.network(), limits);
}

absl::StatusOr<BoundSpec> Bind(const TrainingSpec& spec, const DatasetShape& dataset) {
  if (dataset.transforms.task() == schema::v1::TASK_UNSPECIFIED) {
    return WithFix(FailedPrecondition("the dataset has no label, so there is nothing to learn"),
                   "import it again and name the column to learn as its label");
  }
  if (dataset.train_count <= 0) {
    return FailedPrecondition("the dataset has no train examples");
  }
  if (spec.has_early_stopping() && dataset.validation_count <= 0) {
    return WithFix(
        InvalidArgument("training.early_stopping needs a validation split, and it is empty"),
        "import the dataset with a validation_fraction above 0, or leave early_stopping out");
  }
  ASSIGN_OR_RETURN(network::Network network,
                   network::Network::Create(spec.network(), dataset.transforms.input_count()));
  ASSIGN_OR_RETURN(const network::Loss loss,
                   network::Loss::Create(spec.loss(),
                                         network,
                                         dataset.transforms.task(),
                                         dataset.transforms.label().classes_size()));
  return BoundSpec{.network = std::move(network), .loss = loss};
}

}  // namespace millrace::training
