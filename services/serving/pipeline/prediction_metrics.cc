#include "services/serving/pipeline/prediction_metrics.h"

namespace millrace::serving {

namespace {

constexpr const char* kOther = "other";

// From a row that is answered where the call arrives to the largest request behind a full queue.
const prometheus::Histogram::BucketBoundaries& Seconds() {
  static const prometheus::Histogram::BucketBoundaries bounds = {0.00001,
                                                                 0.000025,
                                                                 0.00005,
                                                                 0.0001,
                                                                 0.00025,
                                                                 0.0005,
                                                                 0.001,
                                                                 0.0025,
                                                                 0.005,
                                                                 0.01,
                                                                 0.025,
                                                                 0.05,
                                                                 0.1,
                                                                 0.25,
                                                                 1,
                                                                 10};
  return bounds;
}

}  // namespace

PredictionMetrics::PredictionMetrics(std::shared_ptr<prometheus::Registry> registry)
    : registry_(std::move(registry)),
      rows_(prometheus::BuildCounter()
                .Name("millrace_prediction_rows_total")
                .Help("Rows that were answered, by model and version.")
                .Register(*registry_)),
      seconds_(prometheus::BuildHistogram()
                   .Name("millrace_prediction_seconds")
                   .Help("Seconds from a request's arrival to its answer, waiting included.")
                   .Register(*registry_)) {}

PredictionMetrics::Series PredictionMetrics::Of(const std::string& model,
                                                const std::string& version) {
  const std::lock_guard lock(mutex_);
  const Key key(model, version);
  const auto found = series_.find(key);
  if (found != series_.end()) {
    return found->second;
  }
  if (series_.size() >= kVersionsMax) {
    return Make({kOther, kOther});  // of the same labels there is only ever one
  }
  return series_.emplace(key, Make(key)).first->second;
}

void PredictionMetrics::Remove(const std::string& model, const std::string& version) {
  const std::lock_guard lock(mutex_);
  const auto found = series_.find({model, version});
  if (found != series_.end()) {
    rows_.Remove(found->second.rows);
    seconds_.Remove(found->second.seconds);
    series_.erase(found);
  }
}

PredictionMetrics::Series PredictionMetrics::Make(const Key& key) {
  const std::map<std::string, std::string> labels = {{"model", key.first}, {"version", key.second}};
  return {.rows = &rows_.Add(labels), .seconds = &seconds_.Add(labels, Seconds())};
}

VersionMetrics::VersionMetrics(std::shared_ptr<PredictionMetrics> metrics,
                               std::string model,
                               std::int32_t number)
    : metrics_(std::move(metrics)),
      model_(std::move(model)),
      version_(std::to_string(number)) {}

VersionMetrics::~VersionMetrics() {
  metrics_->Remove(model_, version_);
}

void VersionMetrics::Answered(std::int64_t rows, std::chrono::steady_clock::duration duration) {
  std::call_once(first_, [this] { series_ = metrics_->Of(model_, version_); });
  series_.rows->Increment(static_cast<double>(rows));
  series_.seconds->Observe(std::chrono::duration<double>(duration).count());
}

}  // namespace millrace::serving
