// Metrics: what is said of predictions beside their labels.

#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "millrace/model/v1/evaluation.pb.h"

namespace millrace::training {

/// Classes up to which a confusion matrix is written.
constexpr std::int64_t kConfusionClassesMax = 100;

/// The class that a row of probabilities stands for: of two the last when its probability is over
/// one half, of more the first of the most probable. Requires: at least two classes.
std::int64_t PredictedClass(std::span<const float> probabilities);

/// Exact area under the ROC curve: the share of pairs of a positive and a negative example in which
/// the positive one has the higher score; equal scores count one half (Hanley and McNeil 1982).
/// O(n log n). Nothing when either kind is absent. `labels` are compared with `positive`.
std::optional<double> RocAuc(std::span<const float> scores,
                             std::span<const float> labels,
                             std::int64_t positive);

/// Sets accuracy, precision, recall, f1, roc_auc and confusion as evaluation.proto defines them.
/// probabilities [n, classes], row-major; labels [n], each the index of a class.
/// Requires: n > 0, classes > 1.
void MeasureClassification(std::int64_t classes,
                           std::span<const float> probabilities,
                           std::span<const float> labels,
                           model::v1::Evaluation& evaluation);

/// Sets mean_absolute_error, root_mean_squared_error and r_squared. values [n], labels [n].
/// Requires: n > 0.
void MeasureRegression(std::span<const float> values,
                       std::span<const float> labels,
                       model::v1::Evaluation& evaluation);

}  // namespace millrace::training
