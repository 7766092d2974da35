#include "services/serving/load/loaded_model.h"

#include <cstring>
#include <utility>
#include <vector>

#include "common/model/bundle.h"
#include "common/status/status.h"

namespace millrace::serving {

namespace {

// More rows than the kernels take at once, and not a multiple of that.
constexpr std::int64_t kWarmRows = 19;

// A bundle is what travels; whether its parts agree with each other is found out here.
absl::Status CheckTask(const schema::v1::TransformSet& transforms) {
  if (!transforms.has_label() || transforms.task() == schema::v1::TASK_UNSPECIFIED) {
    return InvalidArgument("the bundle's transforms have no label to predict");
  }
  return absl::OkStatus();
}

// One row of some numbers that any network can take.
void FillRow(std::int64_t inputs, float* row) {
  for (std::int64_t i = 0; i < inputs; ++i) {
    row[i] = static_cast<float>(i % 7) / 8;
  }
}

// Touches every weight and buffer before traffic does.
absl::Status Warm(const network::InferencePlan& plan) {
  const auto inputs = plan.network().inputs();
  const auto outputs = static_cast<std::size_t>(plan.network().outputs());
  std::vector<float> x(static_cast<std::size_t>(inputs * kWarmRows));
  for (std::int64_t row = 0; row < kWarmRows; ++row) {
    FillRow(inputs, x.data() + row * inputs);
  }
  std::vector<float> alone(outputs);
  std::vector<float> together(outputs * kWarmRows);
  network::InferenceScratch scratch;
  plan.Run(1, std::span(x).first(static_cast<std::size_t>(inputs)), alone, scratch);
  plan.Run(kWarmRows, x, together, scratch);
  for (std::size_t row = 0; row < kWarmRows; ++row) {
    if (std::memcmp(alone.data(), together.data() + row * outputs, outputs * sizeof(float)) != 0) {
      return Internal("this machine computes row {} of the model differently alone", row);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LoadedModel> LoadModel(std::string_view bytes) {
  ASSIGN_OR_RETURN(model::Bundle bundle, model::ReadBundle(bytes));
  const schema::v1::TransformSet& transforms = bundle.manifest.transforms();
  RETURN_IF_ERROR(CheckTask(transforms));
  ASSIGN_OR_RETURN(features::Transformer transformer, features::Transformer::Create(transforms));
  const model::v1::TrainingSpec& training = bundle.manifest.training();
  ASSIGN_OR_RETURN(const network::Network network,
                   network::Network::Create(training.network(), transformer.input_count()));
  ASSIGN_OR_RETURN(network::InferencePlan plan,
                   network::InferencePlan::Create(network, bundle.weights));
  ASSIGN_OR_RETURN(
      const network::Loss loss,
      network::Loss::Create(
          training.loss(), network, transforms.task(), transforms.label().classes_size()));
  RETURN_IF_ERROR(Warm(plan));
  return LoadedModel{.manifest = std::move(bundle.manifest),
                     .transformer = std::move(transformer),
                     .plan = std::move(plan),
                     .loss = loss};
}

}  // namespace millrace::serving
