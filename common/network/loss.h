// Loss: what a network is taught to make small, and its gradient.

#pragma once

#include <cstdint>
#include <span>

#include <absl/status/statusor.h>

#include "millrace/model/v1/training_spec.pb.h"
#include "millrace/schema/v1/schema.pb.h"

#include "common/network/network.h"

namespace millrace::network {

/// A loss bound to a network's last layer. Labels are float [rows]: a class's index, or the target.
/// Formulas: training_spec.proto. Immutable, thread-safe.
class Loss {
 public:
  /// Chooses the loss where the spec leaves it open (a classifier's last layer without activation
  /// is read as logits), and checks that the network's outputs fit the
  /// task: one output for a binary label (or two with softmax), one a class for a multiclass one,
  /// one for a regression.
  /// Fails with INVALID_ARGUMENT that says what the last layer should be.
  static absl::StatusOr<Loss> Create(model::v1::Loss loss,
                                     const Network& network,
                                     schema::v1::Task task,
                                     std::int64_t class_count);

  /// What was chosen.
  [[nodiscard]] model::v1::Loss kind() const { return kind_; }

  /// Whether the last activation is folded into the loss, so that Gradient() is with respect to
  /// what went into it.
  [[nodiscard]] bool folds_activation() const { return folds_activation_; }

  /// Sum (not mean) over the rows of each row's loss, in double, ascending. `y` are the network's
  /// outputs after the last activation; `logits` what went into it, read where it is folded and
  /// else possibly empty.
  [[nodiscard]] double Sum(std::int64_t rows,
                           std::span<const float> y,
                           std::span<const float> logits,
                           std::span<const float> labels) const;

  /// Gradient of the mean over the rows, with respect to the network's outputs, or to what goes
  /// into the last activation where it is folded. [rows, outputs].
  void Gradient(std::int64_t rows,
                std::span<const float> y,
                std::span<const float> labels,
                std::span<float> gradient) const;

  /// Probabilities [rows, probability_count()] (two classes from one sigmoid output: 1 - p and p)
  /// of outputs y, or the values themselves for a regression. The one place that turns outputs into
  /// answers, for evaluation and for serving alike.
  void Probabilities(std::int64_t rows,
                     std::span<const float> y,
                     std::span<float> probabilities) const;

  /// Columns of what Probabilities() writes: classes, or 1 for a regression.
  [[nodiscard]] std::int64_t probability_count() const { return probability_count_; }

 private:
  model::v1::Loss kind_ = model::v1::LOSS_UNSPECIFIED;
  bool folds_activation_ = false;
  std::int64_t outputs_ = 0;
  std::int64_t probability_count_ = 0;
  schema::v1::Task task_ = schema::v1::TASK_UNSPECIFIED;
};

}  // namespace millrace::network
