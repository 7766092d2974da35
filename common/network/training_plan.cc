#include "common/network/training_plan.h"

#include <algorithm>
#include <array>
#include <vector>

#include "common/network/buffer.h"
#include "common/network/flush_denormals.h"
#include "common/network/kernels/kernels.h"
#include "common/network/philox.h"
#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::network {

namespace {

using kernels::Range;
using kernels::Region;

constexpr std::int64_t kBatchRowsMax = 65536;

// Multiply-adds of a forward pass below which one thread is faster than two and their barriers.
constexpr std::int64_t kSharedMultiplyAdds = 1'000'000;

// What a thread takes a multiple of: tiles of the kernels, whole cache lines.
constexpr std::int64_t kColumnGrain = 32;
constexpr std::int64_t kRowGrain = 12;
constexpr std::int64_t kElementGrain = 64;

// A layer and where its numbers are.
struct PlacedLayer {
  LayerPlan plan;
  std::int64_t index = 0;
  float* y = nullptr;     // [batch, outputs]
  float* sums = nullptr;  // what went into the activation, where something reads it; else null
  float* mask = nullptr;  // kDropout: 0 or 1 / (1 - rate)
};

// The members that share one step, or the one that takes it alone.
class Crew {
 public:
  explicit Crew(ThreadTeam::Member* member) : member_(member) {}

  [[nodiscard]] bool first() const { return member_ == nullptr || member_->index() == 0; }

  [[nodiscard]] Range Part(std::int64_t count, std::int64_t grain) const {
    return member_ == nullptr ? Range{.first = 0, .last = count} : member_->Part(count, grain);
  }

  // This member's part of a matrix: columns, so that each weight is copied by one thread only, or
  // rows where there are too few columns.
  [[nodiscard]] Region Share(std::int64_t rows, std::int64_t columns) const {
    const Range all_rows{.first = 0, .last = rows};
    const Range all_columns{.first = 0, .last = columns};
    if (member_ == nullptr) {
      return {.rows = all_rows, .columns = all_columns};
    }
    if (columns >= 2 * kColumnGrain * member_->count()) {
      return {.rows = all_rows, .columns = member_->Part(columns, kColumnGrain)};
    }
    return {.rows = member_->Part(rows), .columns = all_columns};
  }

  // The one that does what is not worth sharing.
  [[nodiscard]] bool last() const {
    return member_ == nullptr || member_->index() + 1 == member_->count();
  }

  void Barrier() const {
    if (member_ != nullptr) {
      member_->Barrier();
    }
  }

 private:
  ThreadTeam::Member* member_;  // null when alone
};

bool IsEmpty(const Region& region) {
  return region.rows.first == region.rows.last || region.columns.first == region.columns.last;
}

class Plan final : public TrainingPlan {
 public:
  Plan(const Network& network, const Loss& loss, const Options& options)
      : network_(network),
        loss_(loss),
        seed_(options.seed),
        rows_max_(options.batch_rows_max),
        parameters_(network.parameter_count()),
        gradients_(network.parameter_count()) {
    network_.Initialize(seed_, parameters_.span());
    Place();
  }

  [[nodiscard]] const Network& network() const override { return network_; }

  std::span<float> parameters() override { return parameters_.span(); }

  std::span<float> gradients() override { return gradients_.span(); }

  [[nodiscard]] std::span<const float> outputs() const override {
    return {layers_.back().y, static_cast<std::size_t>(rows_ * network_.outputs())};
  }

  [[nodiscard]] double LossSum() const override { return loss_sum_; }

  void Step(ThreadTeam::Member& member,
            std::int64_t step,
            std::int64_t rows,
            const float* x,
            const float* labels) override {
    CHECK(rows >= 1 && rows <= rows_max_);
    const FlushDenormals flush;
    member.Barrier();  // the others' updates of parameters
    if (member.count() == 1 || rows * network_.multiply_add_count() < kSharedMultiplyAdds) {
      if (member.index() == 0) {
        Run({Crew(nullptr), step, rows, x, labels, deltas_[0], deltas_[1]});
      }
    } else {
      Run({Crew(&member), step, rows, x, labels, deltas_[0], deltas_[1]});
    }
    member.Barrier();
  }

 private:
  // One member's view of one step.
  struct Pass {
    Crew crew;
    std::int64_t step;
    std::int64_t rows;
    const float* x;
    const float* labels;
    float* delta;  // gradient with respect to the outputs or the sums of the layer at hand
    float* other;  // room for the next one
  };

  void Place();
  void Run(Pass pass);
  void Forward(const Pass& pass) const;
  void ForwardDense(const Pass& pass, const PlacedLayer& layer, const float* from) const;
  void ForwardDropout(const Pass& pass, const PlacedLayer& layer, const float* from) const;
  void ForwardSoftmax(const Pass& pass, const PlacedLayer& layer, const float* from) const;
  void EvaluateLoss(const Pass& pass);
  void Backward(Pass& pass);
  void BackwardDense(Pass& pass, std::size_t index);
  void BackwardElements(const Pass& pass, std::size_t index);

  // What went into layer `index`.
  [[nodiscard]] const float* Input(std::size_t index, const float* x) const {
    return index == 0 ? x : layers_[index - 1].y;
  }

  // What went into layer `index`'s activation, or null where nothing kept it.
  [[nodiscard]] const float* Sums(std::size_t index, const float* x) const {
    const PlacedLayer& layer = layers_[index];
    return layer.plan.kind == LayerPlan::Kind::kDense ? layer.sums : Input(index, x);
  }

  Network network_;
  Loss loss_;
  std::int64_t seed_;
  std::int64_t rows_max_;
  Buffer parameters_;
  Buffer gradients_;
  Buffer arena_;  // everything that layers_ and deltas_ point to
  std::vector<PlacedLayer> layers_;
  std::array<float*, 2> deltas_{};  // gradients with respect to what is between two layers
  std::size_t first_dense_ = 0;     // below it nothing learns
  std::int64_t rows_ = 0;           // of the last step
  double loss_sum_ = 0;
};

void Plan::Place() {
  std::int64_t size = 0;
  const auto reserve = [&](std::int64_t columns) {
    const std::int64_t offset = size;
    size += (rows_max_ * columns + 15) / 16 * 16;
    return offset;
  };

  // First pass: offsets; second: pointers, once the arena exists.
  struct Offsets {
    std::int64_t y = 0;
    std::int64_t sums = -1;
    std::int64_t mask = -1;
  };

  std::vector<Offsets> offsets;
  std::int64_t width_max = 0;
  const std::span<const LayerPlan> plans = network_.layers();
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const LayerPlan& plan = plans[i];
    Offsets& place = offsets.emplace_back();
    place.y = reserve(plan.outputs);
    const bool folded = i + 1 == plans.size() && loss_.folds_activation();
    const bool dense = plan.kind == LayerPlan::Kind::kDense;
    if (dense && (folded || plan.activation == model::v1::ACTIVATION_GELU)) {
      place.sums = reserve(plan.outputs);
    }
    if (plan.kind == LayerPlan::Kind::kDropout) {
      place.mask = reserve(plan.outputs);
    }
    width_max = std::max(width_max, plan.outputs);
  }
  const std::array<std::int64_t, 2> deltas{reserve(width_max), reserve(width_max)};
  arena_ = Buffer(size);
  const auto at = [&](std::int64_t offset) {
    return offset < 0 ? nullptr : arena_.data() + offset;
  };
  for (std::size_t i = 0; i < plans.size(); ++i) {
    layers_.push_back({.plan = plans[i],
                       .index = static_cast<std::int64_t>(i),
                       .y = at(offsets[i].y),
                       .sums = at(offsets[i].sums),
                       .mask = at(offsets[i].mask)});
  }
  deltas_ = {at(deltas[0]), at(deltas[1])};
  while (first_dense_ < layers_.size() &&
         layers_[first_dense_].plan.kind != LayerPlan::Kind::kDense) {
    ++first_dense_;
  }
}

void Plan::Run(Pass pass) {
  Forward(pass);
  if (pass.crew.first()) {
    EvaluateLoss(pass);
  }
  pass.crew.Barrier();
  Backward(pass);
}

void Plan::Forward(const Pass& pass) const {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const PlacedLayer& layer = layers_[i];
    const float* from = Input(i, pass.x);
    if (layer.plan.kind == LayerPlan::Kind::kDense) {
      ForwardDense(pass, layer, from);
    } else if (layer.plan.kind == LayerPlan::Kind::kDropout) {
      ForwardDropout(pass, layer, from);
    } else if (layer.plan.activation != model::v1::ACTIVATION_SOFTMAX) {
      const Range part = pass.crew.Part(pass.rows * layer.plan.outputs, kElementGrain);
      kernels::Activate(
          layer.plan.activation, part.last - part.first, from + part.first, layer.y + part.first);
    }
    if (layer.plan.activation == model::v1::ACTIVATION_SOFTMAX) {
      pass.crew.Barrier();
      ForwardSoftmax(pass, layer, layer.sums != nullptr ? layer.sums : from);
    }
    pass.crew.Barrier();
  }
}

void Plan::ForwardDense(const Pass& pass, const PlacedLayer& layer, const float* from) const {
  const LayerPlan& plan = layer.plan;
  const Region region = pass.crew.Share(pass.rows, plan.outputs);
  if (IsEmpty(region)) {
    return;
  }
  const bool softmax = plan.activation == model::v1::ACTIVATION_SOFTMAX;
  kernels::DenseUnpacked(
      {.weights = {.rows = plan.inputs, .columns = plan.outputs},
       .w = parameters_.data() + plan.kernel_offset,
       .bias = parameters_.data() + plan.bias_offset,
       .activation = softmax ? model::v1::ACTIVATION_UNSPECIFIED : plan.activation},
      region,
      from,
      softmax ? layer.sums : layer.y,
      softmax ? nullptr : layer.sums);
}

void Plan::ForwardDropout(const Pass& pass, const PlacedLayer& layer, const float* from) const {
  const double rate = layer.plan.dropout_rate;
  const auto threshold = static_cast<std::uint32_t>(rate * 4294967296.0);
  const auto scale = static_cast<float>(1 / (1 - rate));
  const Range part = pass.crew.Part(pass.rows * layer.plan.outputs, kElementGrain);
  for (std::int64_t first = part.first; first < part.last; first += 4) {
    const auto words = PhiloxBlock(seed_, PhiloxUse::kDropout, layer.index, pass.step, first / 4);
    const std::int64_t count = std::min<std::int64_t>(4, part.last - first);
    for (std::int64_t i = 0; i < count; ++i) {
      layer.mask[first + i] = words[static_cast<std::size_t>(i)] < threshold ? 0.0F : scale;
    }
  }
  kernels::Multiply(
      part.last - part.first, from + part.first, layer.mask + part.first, layer.y + part.first);
}

void Plan::ForwardSoftmax(const Pass& pass, const PlacedLayer& layer, const float* from) const {
  const Range part = pass.crew.Part(pass.rows, 1);
  const std::int64_t start = part.first * layer.plan.outputs;
  kernels::Softmax(part.last - part.first, layer.plan.outputs, from + start, layer.y + start);
}

void Plan::EvaluateLoss(const Pass& pass) {
  const PlacedLayer& last = layers_.back();
  const auto size = static_cast<std::size_t>(pass.rows * network_.outputs());
  const std::span<const float> y(last.y, size);
  const std::span<const float> labels(pass.labels, static_cast<std::size_t>(pass.rows));
  const float* sums = Sums(layers_.size() - 1, pass.x);
  const std::span<const float> logits(sums, loss_.folds_activation() ? size : 0);
  loss_.Gradient(pass.rows, y, labels, {pass.delta, size});
  loss_sum_ = loss_.Sum(pass.rows, y, logits, labels);
  rows_ = pass.rows;
}

void Plan::Backward(Pass& pass) {
  // Whether the layer's activation is behind us: folded into the loss, or into the layer above.
  bool undone = loss_.folds_activation();
  for (std::size_t i = layers_.size(); i-- > first_dense_;) {
    const LayerPlan& plan = layers_[i].plan;
    const bool dropout = plan.kind == LayerPlan::Kind::kDropout;
    if (dropout || (!undone && plan.activation != model::v1::ACTIVATION_UNSPECIFIED)) {
      BackwardElements(pass, i);
      pass.crew.Barrier();
    }
    undone = plan.kind == LayerPlan::Kind::kDense;
    if (undone) {
      BackwardDense(pass, i);
      pass.crew.Barrier();
    }
  }
}

void Plan::BackwardElements(const Pass& pass, std::size_t index) {
  const PlacedLayer& layer = layers_[index];
  const Range part = pass.crew.Part(pass.rows * layer.plan.outputs, kElementGrain);
  const std::int64_t count = part.last - part.first;
  float* delta = pass.delta + part.first;
  if (layer.plan.kind == LayerPlan::Kind::kDropout) {
    kernels::Multiply(count, delta, layer.mask + part.first, delta);
    return;
  }
  const float* sums = Sums(index, pass.x);
  kernels::ActivationGradient(layer.plan.activation,
                              count,
                              sums == nullptr ? nullptr : sums + part.first,
                              layer.y + part.first,
                              delta,
                              delta);
}

void Plan::BackwardDense(Pass& pass, std::size_t index) {
  const LayerPlan& plan = layers_[index].plan;
  const kernels::Shape weights{.rows = plan.inputs, .columns = plan.outputs};
  const Range inputs = pass.crew.Part(plan.inputs, kRowGrain);
  if (inputs.first < inputs.last) {
    kernels::WeightGradient(weights,
                            pass.rows,
                            Input(index, pass.x),
                            pass.delta,
                            inputs,
                            gradients_.data() + plan.kernel_offset);
  }
  if (pass.crew.last()) {
    kernels::BiasGradient(
        pass.rows, plan.outputs, pass.delta, gradients_.data() + plan.bias_offset);
  }
  if (index == first_dense_) {
    return;
  }
  const PlacedLayer& below = layers_[index - 1];
  const Region region = pass.crew.Share(pass.rows, plan.inputs);
  if (!IsEmpty(region)) {
    kernels::InputGradient({.weights = weights,
                            .w = parameters_.data() + plan.kernel_offset,
                            .activation = below.plan.activation,
                            .x = Sums(index - 1, pass.x),
                            .y = below.y},
                           region,
                           pass.delta,
                           pass.other);
  }
  std::swap(pass.delta, pass.other);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TrainingPlan>> TrainingPlan::Create(const Network& network,
                                                                   const Loss& loss,
                                                                   const Options& options) {
  if (options.batch_rows_max < 1 || options.batch_rows_max > kBatchRowsMax) {
    return InvalidArgument(
        "batch_size must be in [1, {}], found {}", kBatchRowsMax, options.batch_rows_max);
  }
  return std::make_unique<Plan>(network, loss, options);
}

}  // namespace millrace::network
