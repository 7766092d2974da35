// Learner: a spec on small data that a test can train, and what it hears meanwhile.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/clock/random.h"
#include "common/network/inference_plan.h"
#include "services/training/train/spec.h"
#include "services/training/train/trainer.h"

namespace millrace::training {

inline model::v1::TrainingSpec SpecOf(std::string_view text) {
  model::v1::TrainingSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(std::string(text), &spec)) << text;
  FillDefaults(spec);
  return spec;
}

constexpr std::string_view kSeedNetwork = R"(
  network {
    layers { dense { units: 10 activation: ACTIVATION_SIGMOID } }
    layers { dense { units: 1 activation: ACTIVATION_SIGMOID } }
  }
)";

struct Data {
  std::int64_t inputs = 0;
  std::vector<float> x;
  std::vector<float> labels;

  [[nodiscard]] std::size_t size() const { return labels.size(); }
};

inline float Uniform(Random& random) {
  return static_cast<float>(random.Next()) / 4294967296.0F;
}

/// Points of the unit square; 1 where their coordinates add up to more than one.
inline Data Separable(std::size_t count) {
  Random random(11);
  Data data{.inputs = 2, .x = {}, .labels = {}};
  for (std::size_t i = 0; i < count; ++i) {
    const float a = Uniform(random);
    const float b = Uniform(random);
    data.x.insert(data.x.end(), {a, b});
    data.labels.push_back(a + b > 1 ? 1.0F : 0.0F);
  }
  return data;
}

/// Points of the unit square; 1 in two opposite quarters of it, which no line can tell apart.
inline Data ExclusiveOr(std::size_t count) {
  Data data = Separable(count);
  for (std::size_t i = 0; i < count; ++i) {
    data.labels[i] = (data.x[2 * i] > 0.5F) != (data.x[2 * i + 1] > 0.5F) ? 1.0F : 0.0F;
  }
  return data;
}

/// Points of the unit cube of 48 dimensions; 1 where the first coordinate is above one half.
inline Data Wide(std::size_t count) {
  Data data{.inputs = 48, .x = std::vector<float>(48 * count), .labels = {}};
  Random random(2);
  for (float& x : data.x) {
    x = Uniform(random);
  }
  for (std::size_t i = 0; i < count; ++i) {
    data.labels.push_back(data.x[48 * i] > 0.5F ? 1.0F : 0.0F);
  }
  return data;
}

/// Layers on Wide() whose steps are large enough for the plan to share them, with every kind of
/// layer that draws numbers.
constexpr std::string_view kWideNetwork = R"(
  network {
    layers { dense { units: 320 activation: ACTIVATION_GELU } }
    layers { dropout { rate: 0.3 } }
    layers { dense { units: 96 activation: ACTIVATION_TANH } }
    layers { dense { units: 1 activation: ACTIVATION_SIGMOID } }
  }
)";

/// Keeps what it hears.
class RememberingObserver final : public TrainObserver {
 public:
  absl::Status EpochEnded(const model::v1::EpochMetrics& metrics,
                          const TrainerState& state) override {
    epochs.push_back(metrics);
    weights.push_back(state.weights);
    return each_epoch ? each_epoch(state) : absl::OkStatus();
  }

  std::vector<model::v1::EpochMetrics> epochs;
  std::vector<std::vector<float>> weights;
  std::function<absl::Status(const TrainerState&)> each_epoch;
};

/// A spec's network and loss on some data, ready to train.
class Learner {
 public:
  Learner(model::v1::TrainingSpec spec, Data data, schema::v1::Task task = schema::v1::TASK_BINARY)
      : spec_(std::move(spec)),
        data_(std::move(data)) {
    schema::v1::TransformSet transforms;
    transforms.set_input_count(static_cast<std::int32_t>(data_.inputs));
    transforms.set_task(task);
    if (task == schema::v1::TASK_BINARY) {
      transforms.mutable_label()->add_classes("no");
      transforms.mutable_label()->add_classes("yes");
    }
    bound_ = std::make_unique<BoundSpec>(
        Bind(spec_, {.transforms = transforms, .train_count = 1, .validation_count = 1}).value());
  }

  absl::StatusOr<TrainerState> Run(TrainObserver& observer,
                                   const std::stop_token& stop = {},
                                   const Validator& validator = {},
                                   TrainerState start = {}) {
    return Train({.spec = spec_,
                  .network = bound_->network,
                  .loss = bound_->loss,
                  .x = data_.x,
                  .labels = data_.labels,
                  .validator = validator,
                  .steps_per_question = steps_per_question},
                 observer,
                 stop,
                 std::move(start));
  }

  absl::StatusOr<TrainerState> Run() {
    RememberingObserver observer;
    return Run(observer);
  }

  /// Share of the data that weights get right.
  [[nodiscard]] double Accuracy(std::span<const float> weights) const {
    const auto plan = network::InferencePlan::Create(bound_->network, weights).value();
    network::InferenceScratch scratch;
    std::vector<float> y(data_.size());
    plan.Run(static_cast<std::int64_t>(data_.size()), data_.x, y, scratch);
    int right = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      right += (y[i] > 0.5F) == (data_.labels[i] > 0.5F) ? 1 : 0;
    }
    return static_cast<double>(right) / static_cast<double>(y.size());
  }

  [[nodiscard]] const network::Network& network() const { return bound_->network; }

  [[nodiscard]] const Data& data() const { return data_; }

  std::int64_t steps_per_question = 0;

 private:
  model::v1::TrainingSpec spec_;
  Data data_;
  std::unique_ptr<BoundSpec> bound_;
};

/// Answers with losses that were written down beforehand.
inline Validator ScriptedLosses(std::vector<double> losses) {
  return [losses = std::move(losses), next = std::size_t{0}](
             std::span<const float> /*weights*/) mutable -> absl::StatusOr<model::v1::Evaluation> {
    model::v1::Evaluation evaluation;
    evaluation.set_loss(losses.at(next++));
    return evaluation;
  };
}

}  // namespace millrace::training
