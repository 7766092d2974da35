// ServedModels: from a bundle to an answer; which versions serve now, and how that changes.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <prometheus/registry.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "services/serving/load/loaded_model.h"
#include "services/serving/load/repository.h"
#include "services/serving/pipeline/prediction_metrics.h"
#include "services/serving/predict/predictor.h"
#include "services/serving/route/route.h"

namespace millrace::serving {

/// One version of a model as it serves. Immutable but for what it counts, thread-safe; lives as
/// long as any request uses it.
class ServedVersion {
 public:
  ServedVersion(const VersionRecord& record,
                LoadedModel model,
                std::shared_ptr<PredictionMetrics> metrics);
  ServedVersion(const ServedVersion&) = delete;
  ServedVersion& operator=(const ServedVersion&) = delete;

  [[nodiscard]] std::int32_t number() const { return number_; }

  [[nodiscard]] const Predictor& predictor() const { return predictor_; }

  /// What every answer of this version begins with: lineage, task and classes.
  [[nodiscard]] const v1::PredictResponse& head() const { return head_; }

  /// Counts an answer to `rows` rows whose request arrived at `arrival`.
  void Answered(std::int64_t rows, std::chrono::steady_clock::time_point arrival) const {
    metrics_.Answered(rows, std::chrono::steady_clock::now() - arrival);
  }

 private:
  std::int32_t number_;
  LoadedModel model_;
  Predictor predictor_;  // refers to model_
  v1::PredictResponse head_;
  mutable VersionMetrics metrics_;
};

/// The models of a repository, loaded. Every version of the catalog is, whether its route names it
/// or not: a request may ask for any, and going back to an older one takes no time.
///
/// Finding a version takes one short lock and never waits for a change: changes prepare a new table
/// beside the old one and swap it in. Changes wait for the disk and for each other. Thread-safe.
class ServedModels {
 public:
  /// Loads what the repository holds, which it does not own. A version that cannot be loaded is
  /// logged and answers UNAVAILABLE; the others serve.
  /// `metrics` gets what PredictionMetrics says.
  static absl::StatusOr<std::unique_ptr<ServedModels>> Open(
      Repository& repository,
      const std::shared_ptr<prometheus::Registry>& metrics =
          std::make_shared<prometheus::Registry>());

  /// The version for the next request for `models/{model}` or `models/{model}/versions/{version}`.
  /// INVALID_ARGUMENT, NOT_FOUND, or UNAVAILABLE for a version that could not be loaded.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const ServedVersion>> Find(
      std::string_view name) const;

  /// The same for `{model}` and a version's number as text, empty for what the route chooses: the
  /// names of the Open Inference Protocol.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const ServedVersion>> Find(
      std::string_view id,
      std::string_view version) const;

  /// The same, but what the route prefers and without a place in the model's traffic: for questions
  /// about a model.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const ServedVersion>> Look(
      std::string_view id,
      std::string_view version) const;

  /// Verifies, warms and stores a bundle, then lets it serve. INVALID_ARGUMENT for a bad id, or
  /// what LoadModel() says. Here and below `caller` is who asked: for the history of the route.
  absl::StatusOr<v1::ModelVersion> Add(const std::string& id,
                                       std::string_view bytes,
                                       const std::string& caller = {});

  /// A version, or of a model's name the one that its route prefers.
  absl::StatusOr<v1::ModelVersion> Get(std::string_view name);

  absl::StatusOr<v1::ListModelsResponse> List(const v1::ListModelsRequest& request);

  /// FAILED_PRECONDITION for a version that could not be loaded; else as Route::Create().
  absl::StatusOr<v1::Route> SetRoute(const v1::Route& route, const std::string& caller = {});

  /// The route of `models/{model}` as it was set.
  [[nodiscard]] absl::StatusOr<v1::Route> GetRoute(std::string_view model) const;

  /// The history of a model's route, as Repository keeps it; also that of a model which is gone.
  absl::StatusOr<v1::ListRouteChangesResponse> ListRouteChanges(
      const v1::ListRouteChangesRequest& request);

  absl::Status Delete(std::string_view name, const std::string& caller = {});

  /// Numbers of a model's versions, ascending; empty when there is no such model.
  [[nodiscard]] std::vector<std::int32_t> VersionsOf(std::string_view id) const;

 private:
  // A version of the catalog: serving, or the reason why it cannot.
  using Slot = absl::StatusOr<std::shared_ptr<const ServedVersion>>;

  struct Model {
    std::map<std::int32_t, Slot> versions;  // not empty
    std::optional<Route> route;             // set once the model is in a table
    std::shared_ptr<std::atomic<std::uint64_t>> tickets =
        std::make_shared<std::atomic<std::uint64_t>>(0);
  };

  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the library's name

    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  using Table =
      std::unordered_map<std::string, std::shared_ptr<const Model>, Hash, std::equal_to<>>;

  ServedModels(Repository& repository, const std::shared_ptr<prometheus::Registry>& metrics)
      : repository_(repository),
        metrics_(std::make_shared<PredictionMetrics>(metrics)) {}

  [[nodiscard]] std::shared_ptr<const Table> table() const;
  [[nodiscard]] std::shared_ptr<const Model> ModelOf(std::string_view id) const;
  [[nodiscard]] Slot Load(const VersionRecord& record) const;

  // The version `number`, or what the route chooses for 0.
  static Slot Choose(const Model& model, std::int32_t number);

  absl::Status Publish(const std::string& id, Model model, std::vector<v1::RouteShare> shares);
  void Swap(Table table);

  Repository& repository_;
  const std::shared_ptr<PredictionMetrics> metrics_;
  std::mutex changing_;             // held by one change at a time
  mutable std::mutex table_mutex_;  // held for a pointer's copy only
  std::shared_ptr<const Table> table_ = std::make_shared<Table>();  // guarded by table_mutex_
};

}  // namespace millrace::serving
