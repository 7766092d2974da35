#include "common/network/loss.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "common/network/flush_denormals.h"
#include "common/network/kernels/kernels.h"
#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::network {

namespace {

using schema::v1::Task;
using Kind = model::v1::Loss;

// Keras' bound for what is read as a probability.
constexpr double kClip = 1e-7;

bool IsCategorical(Kind kind) {
  return kind == model::v1::LOSS_CATEGORICAL_CROSSENTROPY ||
         kind == model::v1::LOSS_CATEGORICAL_CROSSENTROPY_FROM_LOGITS;
}

bool IsBinary(Kind kind) {
  return kind == model::v1::LOSS_BINARY_CROSSENTROPY ||
         kind == model::v1::LOSS_BINARY_CROSSENTROPY_FROM_LOGITS;
}

bool TakesLogits(Kind kind) {
  return kind == model::v1::LOSS_BINARY_CROSSENTROPY_FROM_LOGITS ||
         kind == model::v1::LOSS_CATEGORICAL_CROSSENTROPY_FROM_LOGITS;
}

// The word for it in a spec: "binary_crossentropy" for LOSS_BINARY_CROSSENTROPY.
std::string Word(std::string_view name, std::string_view prefix) {
  std::string word(name.substr(prefix.size()));
  std::transform(word.begin(), word.end(), word.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return word;
}

std::string WordOf(Kind kind) {
  return Word(model::v1::Loss_Name(kind), "LOSS_");
}

absl::Status WrongLabel(Kind kind, std::string_view wanted, Task task) {
  return WithFix(InvalidArgument("loss {} is for {}, found a {} label",
                                 WordOf(kind),
                                 wanted,
                                 Word(schema::v1::Task_Name(task), "TASK_")),
                 "leave `loss` out: the label chooses one that fits");
}

// A last layer without an activation is read as logits, since it gives no probabilities.
Kind Choose(const LayerPlan& last, Task task) {
  const bool logits = last.activation == model::v1::ACTIVATION_UNSPECIFIED;
  if (task == schema::v1::TASK_REGRESSION) {
    return model::v1::LOSS_MEAN_SQUARED_ERROR;
  }
  if (task == schema::v1::TASK_BINARY && last.outputs == 1) {
    return logits ? model::v1::LOSS_BINARY_CROSSENTROPY_FROM_LOGITS
                  : model::v1::LOSS_BINARY_CROSSENTROPY;
  }
  return logits ? model::v1::LOSS_CATEGORICAL_CROSSENTROPY_FROM_LOGITS
                : model::v1::LOSS_CATEGORICAL_CROSSENTROPY;
}

absl::Status CheckTask(Kind kind, Task task) {
  if (IsBinary(kind) && task != schema::v1::TASK_BINARY) {
    return WrongLabel(kind, "a label of two classes", task);
  }
  if (IsCategorical(kind) && task == schema::v1::TASK_REGRESSION) {
    return WrongLabel(kind, "a label of classes", task);
  }
  if (!IsBinary(kind) && !IsCategorical(kind) && task == schema::v1::TASK_MULTICLASS) {
    return WrongLabel(kind, "a label that is a number", task);
  }
  return absl::OkStatus();
}

absl::Status CheckLastLayer(Kind kind, const LayerPlan& last, std::int64_t wanted) {
  if (last.outputs != wanted) {
    return InvalidArgument(
        "network.layers: the last layer must have {} output{} for loss {} on this label, found {}",
        wanted,
        wanted == 1 ? "" : "s",
        WordOf(kind),
        last.outputs);
  }
  if (TakesLogits(kind) && last.activation != model::v1::ACTIVATION_UNSPECIFIED) {
    return InvalidArgument(
        "network.layers: the last layer must have no activation for loss {}, found {}",
        WordOf(kind),
        Word(model::v1::Activation_Name(last.activation), "ACTIVATION_"));
  }
  if (last.activation == model::v1::ACTIVATION_SOFTMAX && !IsCategorical(kind)) {
    return InvalidArgument(
        "network.layers: a last layer with softmax needs a categorical cross-entropy, found {}",
        WordOf(kind));
  }
  return absl::OkStatus();
}

double ElementLoss(Kind kind, double y, double t) {
  const double distance = std::abs(y - t);
  switch (kind) {
    case model::v1::LOSS_MEAN_SQUARED_ERROR:
      return distance * distance;
    case model::v1::LOSS_MEAN_ABSOLUTE_ERROR:
      return distance;
    case model::v1::LOSS_HUBER:
      return distance <= 1 ? distance * distance / 2 : distance - 0.5;
    default: {
      const double p = std::clamp(y, kClip, 1 - kClip);
      return -(t * kernels::Log(p) + (1 - t) * kernels::Log(1 - p));
    }
  }
}

double ElementGradient(Kind kind, double y, double t) {
  const double difference = y - t;
  switch (kind) {
    case model::v1::LOSS_MEAN_SQUARED_ERROR:
      return 2 * difference;
    case model::v1::LOSS_MEAN_ABSOLUTE_ERROR:
      if (difference == 0) {
        return 0;
      }
      return std::isnan(difference) ? difference : std::copysign(1.0, difference);
    case model::v1::LOSS_HUBER:
      return std::clamp(difference, -1.0, 1.0);
    default:
      // Clipped, the loss does not change with y.
      return y < kClip || y > 1 - kClip ? 0 : difference / (y * (1 - y));
  }
}

double RowSum(std::span<const float> row) {
  double sum = 0;
  for (const float y : row) {
    sum += static_cast<double>(y);
  }
  return sum;
}

// Of a row that is read as probabilities once it is divided by its sum.
double NormalizedLoss(std::span<const float> row, std::size_t label) {
  const double p = static_cast<double>(row[label]) / RowSum(row);
  return -kernels::Log(std::clamp(p, kClip, 1 - kClip));
}

void NormalizedGradient(std::span<const float> row,
                        std::size_t label,
                        double rows,
                        std::span<float> gradient) {
  const double sum = RowSum(row);
  const double p = static_cast<double>(row[label]) / sum;
  const bool clipped = p < kClip || p > 1 - kClip;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double own = i == label ? 1 / static_cast<double>(row[i]) : 0;
    gradient[i] = clipped ? 0.0F : static_cast<float>((1 / sum - own) / rows);
  }
}

// Sigmoid or softmax of y.
void SquashLogits(Kind kind, std::int64_t rows, std::span<const float> y, std::span<float> p) {
  if (IsCategorical(kind)) {
    kernels::Softmax(rows, std::ssize(p) / rows, y.data(), p.data());
  } else {
    kernels::Activate(model::v1::ACTIVATION_SIGMOID, rows, y.data(), p.data());
  }
}

// gradient = (p - t) / rows, or (p - onehot(t)) / rows; p and `gradient` may be the same.
void SubtractLabels(std::span<const float> p,
                    std::span<const float> labels,
                    std::span<float> gradient) {
  const auto divisor = static_cast<float>(labels.size());
  const std::size_t width = p.size() / labels.size();
  if (width == 1) {
    for (std::size_t row = 0; row < labels.size(); ++row) {
      gradient[row] = (p[row] - labels[row]) / divisor;
    }
    return;
  }
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const std::size_t label = row * width + static_cast<std::size_t>(labels[row]);
    for (std::size_t i = row * width; i < (row + 1) * width; ++i) {
      gradient[i] = (p[i] - (i == label ? 1.0F : 0.0F)) / divisor;
    }
  }
}

}  // namespace

absl::StatusOr<Loss> Loss::Create(model::v1::Loss loss,
                                  const Network& network,
                                  schema::v1::Task task,
                                  std::int64_t class_count) {
  if (!model::v1::Loss_IsValid(loss)) {
    return InvalidArgument("loss is not one of this version, found {}", static_cast<int>(loss));
  }
  if (task == schema::v1::TASK_UNSPECIFIED || !schema::v1::Task_IsValid(task)) {
    return InvalidArgument("a network can only learn from a label, and the schema names none");
  }
  if (task == schema::v1::TASK_MULTICLASS && class_count < 2) {
    return InvalidArgument("a multiclass label needs 2 classes or more, found {}", class_count);
  }
  const LayerPlan& last = network.layers().back();
  Loss result;
  result.kind_ = loss == model::v1::LOSS_UNSPECIFIED ? Choose(last, task) : loss;
  result.task_ = task;
  result.outputs_ = network.outputs();
  RETURN_IF_ERROR(CheckTask(result.kind_, task));
  const std::int64_t classes = task == schema::v1::TASK_MULTICLASS ? class_count : 2;
  RETURN_IF_ERROR(CheckLastLayer(result.kind_, last, IsCategorical(result.kind_) ? classes : 1));
  const bool sigmoid = last.activation == model::v1::ACTIVATION_SIGMOID;
  const bool softmax = last.activation == model::v1::ACTIVATION_SOFTMAX;
  result.folds_activation_ = (result.kind_ == model::v1::LOSS_BINARY_CROSSENTROPY && sigmoid) ||
                             (result.kind_ == model::v1::LOSS_CATEGORICAL_CROSSENTROPY && softmax);
  result.probability_count_ = task == schema::v1::TASK_REGRESSION ? 1 : classes;
  return result;
}

double Loss::Sum(std::int64_t rows,
                 std::span<const float> y,
                 std::span<const float> logits,
                 std::span<const float> labels) const {
  const FlushDenormals flush;
  const auto size = static_cast<std::size_t>(rows * outputs_);
  const auto count = static_cast<std::size_t>(rows);
  const std::span<const float> read = folds_activation_ ? logits : y;
  CHECK(read.size() >= size && labels.size() >= count);
  const bool plain = folds_activation_ || TakesLogits(kind_);
  if (IsCategorical(kind_) && plain) {
    return kernels::SoftmaxLoss(rows, outputs_, read.data(), labels.data());
  }
  if (IsBinary(kind_) && plain) {
    return kernels::LogisticLoss(rows, read.data(), labels.data());
  }
  double sum = 0;
  for (std::size_t row = 0; row < count; ++row) {
    if (IsCategorical(kind_)) {
      const auto width = static_cast<std::size_t>(outputs_);
      sum += NormalizedLoss(y.subspan(row * width, width), static_cast<std::size_t>(labels[row]));
    } else {
      sum += ElementLoss(kind_, static_cast<double>(y[row]), static_cast<double>(labels[row]));
    }
  }
  return sum;
}

void Loss::Gradient(std::int64_t rows,
                    std::span<const float> y,
                    std::span<const float> labels,
                    std::span<float> gradient) const {
  const FlushDenormals flush;
  const auto count = static_cast<std::size_t>(rows);
  const auto width = static_cast<std::size_t>(outputs_);
  CHECK(y.size() >= count * width && labels.size() >= count && gradient.size() >= count * width);
  if (TakesLogits(kind_)) {
    const std::span<float> p = gradient.first(count * width);
    SquashLogits(kind_, rows, y, p);
    SubtractLabels(p, labels.first(count), p);
    return;
  }
  if (folds_activation_) {
    SubtractLabels(y.first(count * width), labels.first(count), gradient);
    return;
  }
  for (std::size_t row = 0; row < count; ++row) {
    if (IsCategorical(kind_)) {
      NormalizedGradient(y.subspan(row * width, width),
                         static_cast<std::size_t>(labels[row]),
                         static_cast<double>(rows),
                         gradient.subspan(row * width, width));
    } else {
      const double slope =
          ElementGradient(kind_, static_cast<double>(y[row]), static_cast<double>(labels[row]));
      gradient[row] = static_cast<float>(slope / static_cast<double>(rows));
    }
  }
}

void Loss::Probabilities(std::int64_t rows,
                         std::span<const float> y,
                         std::span<float> probabilities) const {
  const FlushDenormals flush;
  const auto count = static_cast<std::size_t>(rows);
  const auto width = static_cast<std::size_t>(outputs_);
  CHECK(y.size() >= count * width);
  CHECK(std::ssize(probabilities) >= rows * probability_count_);
  if (TakesLogits(kind_)) {
    SquashLogits(kind_, rows, y, probabilities.first(count * width));
  } else {
    std::copy_n(y.begin(), count * width, probabilities.begin());
  }
  if (task_ == schema::v1::TASK_REGRESSION) {
    return;
  }
  if (IsCategorical(kind_)) {
    const bool normalize = !folds_activation_ && !TakesLogits(kind_);
    for (std::size_t row = 0; row < count && normalize; ++row) {
      const double sum = RowSum(y.subspan(row * width, width));
      for (float& p : probabilities.subspan(row * width, width)) {
        p = static_cast<float>(static_cast<double>(p) / sum);
      }
    }
    return;
  }
  // From the last row on, so that no value is overwritten before it is read.
  for (std::size_t row = count; row-- > 0;) {
    const float p = std::clamp(probabilities[row], 0.0F, 1.0F);
    probabilities[2 * row + 1] = p;
    probabilities[2 * row] = 1.0F - p;
  }
}

}  // namespace millrace::network
