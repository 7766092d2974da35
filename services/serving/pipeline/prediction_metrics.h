// PredictionMetrics: what Prometheus is told about each version's predictions.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace millrace::serving {

/// Keeps `millrace_prediction_rows_total` and `millrace_prediction_seconds` by model and version.
/// Thread-safe.
class PredictionMetrics {
 public:
  /// Versions that have series of their own at once. What is asked of more shares one, of the model
  /// and the version "other": whoever may upload models cannot make the scrape grow without end.
  static constexpr std::size_t kVersionsMax = 256;

  explicit PredictionMetrics(std::shared_ptr<prometheus::Registry> registry);

  struct Series {
    prometheus::Counter* rows = nullptr;
    prometheus::Histogram* seconds = nullptr;
  };

  /// The series of a version, made when there is none; they live until Remove().
  Series Of(const std::string& model, const std::string& version);
  void Remove(const std::string& model, const std::string& version);

 private:
  using Key = std::pair<std::string, std::string>;

  Series Make(const Key& key);

  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& rows_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  std::mutex mutex_;
  std::map<Key, Series> series_;  // guarded by mutex_
};

/// The series of one version. They are made by its first prediction, so that of many versions only
/// those that somebody asks have any, and removed with this object. Thread-safe.
class VersionMetrics {
 public:
  VersionMetrics(std::shared_ptr<PredictionMetrics> metrics,
                 std::string model,
                 std::int32_t number);
  ~VersionMetrics();
  VersionMetrics(const VersionMetrics&) = delete;
  VersionMetrics& operator=(const VersionMetrics&) = delete;

  /// Counts an answer to `rows` rows. Takes well below a microsecond.
  void Answered(std::int64_t rows, std::chrono::steady_clock::duration duration);

 private:
  const std::shared_ptr<PredictionMetrics> metrics_;
  const std::string model_;
  const std::string version_;
  std::once_flag first_;
  PredictionMetrics::Series series_;  // written by the first prediction
};

}  // namespace millrace::serving
