#include "services/training/evaluate/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

namespace millrace::training {

namespace {

std::size_t Size(std::int64_t count) {
  return static_cast<std::size_t>(count);
}

// Examples of one class: rightly called so, called so, and being so.
struct ClassCounts {
  std::int64_t hits = 0;
  std::int64_t predicted = 0;
  std::int64_t actual = 0;
};

double Ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double Precision(const ClassCounts& counts) {
  return Ratio(counts.hits, counts.predicted);
}

double Recall(const ClassCounts& counts) {
  return Ratio(counts.hits, counts.actual);
}

// The harmonic mean of the two above, in whole numbers: 2 hits / (predicted + actual).
double F1(const ClassCounts& counts) {
  return Ratio(2 * counts.hits, counts.predicted + counts.actual);
}

double MeanOf(std::span<const ClassCounts> classes, double (*figure)(const ClassCounts&)) {
  double sum = 0;
  for (const ClassCounts& counts : classes) {
    sum += figure(counts);
  }
  return sum / static_cast<double>(classes.size());
}

// Of two classes the positive one's area; of more the mean of each against the rest.
std::optional<double> Area(std::int64_t classes,
                           std::span<const float> probabilities,
                           std::span<const float> labels) {
  const std::int64_t first = classes == 2 ? 1 : 0;
  std::vector<float> scores(labels.size());
  double sum = 0;
  for (std::int64_t index = first; index < classes; ++index) {
    for (std::size_t row = 0; row < labels.size(); ++row) {
      scores[row] = probabilities[row * Size(classes) + Size(index)];
    }
    const std::optional<double> area = RocAuc(scores, labels, index);
    if (!area.has_value()) {
      return std::nullopt;
    }
    sum += *area;
  }
  return sum / static_cast<double>(classes - first);
}

}  // namespace

std::int64_t PredictedClass(std::span<const float> probabilities) {
  if (probabilities.size() == 2) {
    return probabilities[1] > 0.5F ? 1 : 0;
  }
  return std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin();
}

std::optional<double> RocAuc(std::span<const float> scores,
                             std::span<const float> labels,
                             std::int64_t positive) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return scores[a] < scores[b];
  });
  // Counted in halves of a pair, so that ties stay whole numbers.
  std::int64_t half_pairs = 0;
  std::int64_t negatives = 0;
  std::int64_t positives = 0;
  for (std::size_t first = 0; first < order.size();) {
    std::int64_t tied_negatives = 0;
    std::int64_t tied_positives = 0;
    std::size_t last = first;
    for (; last < order.size() && scores[order[last]] == scores[order[first]]; ++last) {
      const bool is_positive = labels[order[last]] == static_cast<float>(positive);
      (is_positive ? tied_positives : tied_negatives) += 1;
    }
    half_pairs += tied_positives * (2 * negatives + tied_negatives);
    negatives += tied_negatives;
    positives += tied_positives;
    first = last;
  }
  if (negatives == 0 || positives == 0) {
    return std::nullopt;
  }
  return static_cast<double>(half_pairs) /
         (2 * static_cast<double>(positives) * static_cast<double>(negatives));
}

void MeasureClassification(std::int64_t classes,
                           std::span<const float> probabilities,
                           std::span<const float> labels,
                           model::v1::Evaluation& evaluation) {
  const bool with_confusion = classes <= kConfusionClassesMax;
  std::vector<std::int64_t> confusion(with_confusion ? Size(classes * classes) : 0);
  std::vector<ClassCounts> counts(Size(classes));
  std::int64_t right = 0;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const auto actual = static_cast<std::int64_t>(labels[row]);
    const std::int64_t predicted =
        PredictedClass(probabilities.subspan(row * Size(classes), Size(classes)));
    ++counts[Size(actual)].actual;
    ++counts[Size(predicted)].predicted;
    if (actual == predicted) {
      ++counts[Size(actual)].hits;
      ++right;
    }
    if (with_confusion) {
      ++confusion[Size(actual * classes + predicted)];
    }
  }
  const std::span<const ClassCounts> judged =
      classes == 2 ? std::span<const ClassCounts>(counts).last(1) : counts;
  evaluation.set_accuracy(Ratio(right, static_cast<std::int64_t>(labels.size())));
  evaluation.set_precision(MeanOf(judged, Precision));
  evaluation.set_recall(MeanOf(judged, Recall));
  evaluation.set_f1(MeanOf(judged, F1));
  if (const std::optional<double> area = Area(classes, probabilities, labels)) {
    evaluation.set_roc_auc(*area);
  }
  evaluation.mutable_confusion()->Add(confusion.begin(), confusion.end());
}

void MeasureRegression(std::span<const float> values,
                       std::span<const float> labels,
                       model::v1::Evaluation& evaluation) {
  const auto count = static_cast<double>(labels.size());
  const double mean = std::accumulate(labels.begin(), labels.end(), 0.0) / count;
  double absolute = 0;
  double squared = 0;
  double around_mean = 0;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const double error = static_cast<double>(values[row]) - static_cast<double>(labels[row]);
    const double distance = static_cast<double>(labels[row]) - mean;
    absolute += std::abs(error);
    squared += error * error;
    around_mean += distance * distance;
  }
  evaluation.set_mean_absolute_error(absolute / count);
  evaluation.set_root_mean_squared_error(std::sqrt(squared / count));
  const bool is_constant =
      std::all_of(labels.begin(), labels.end(), [&](float label) { return label == labels[0]; });
  if (!is_constant) {
    evaluation.set_r_squared(1 - squared / around_mean);
  }
}

}  // namespace millrace::training
