// ServedModels: from a bundle to an answer; which versions serve now, and how that changes.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
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
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "common/memory/memory.h"
#include "common/memory/quiet_timer.h"
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
                std::shared_ptr<PredictionMetrics> metrics,
                std::int64_t buffer_bytes_max = Predictor::kBufferBytesMax);
  ServedVersion(const ServedVersion&) = delete;
  ServedVersion& operator=(const ServedVersion&) = delete;

  [[nodiscard]] std::int32_t number() const { return number_; }

  [[nodiscard]] const Predictor& predictor() const { return predictor_; }

  /// What every answer of this version begins with: lineage, task and classes.
  [[nodiscard]] const v1::PredictResponse& head() const { return head_; }

  /// Counts an answer to `rows` rows whose request arrived at `arrival`.
  void Answered(std::int64_t rows, std::chrono::steady_clock::time_point arrival) const {
    const auto now = std::chrono::steady_clock::now();
    used_.store(now, std::memory_order_relaxed);
    metrics_.Answered(rows, now - arrival);
  }

  /// When it was loaded, or answered last.
  [[nodiscard]] std::chrono::steady_clock::time_point used() const {
    return used_.load(std::memory_order_relaxed);
  }

  /// Memory that it takes: the bundle's bytes, which are nearly all weights, as the kernels lay
  /// them out.
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }

 private:
  std::int32_t number_;
  LoadedModel model_;
  Predictor predictor_;  // refers to model_
  v1::PredictResponse head_;
  mutable VersionMetrics metrics_;
  const std::int64_t bytes_;
  mutable std::atomic<std::chrono::steady_clock::time_point> used_{
      std::chrono::steady_clock::now()};
};

struct ServedOptions {
  // Of loaded versions together (ServedVersion::bytes()). What is used least recently goes when
  // another needs its place; what has a share of the traffic stays.
  std::int64_t models_bytes_max = std::numeric_limits<std::int64_t>::max();

  // Of a prediction's buffers on one thread.
  std::int64_t buffer_bytes_max = Predictor::kBufferBytesMax;

  // Of models whose route has no shares.
  TrafficOfNewVersions traffic = TrafficOfNewVersions::kNewest;

  // Gets what PredictionMetrics says, and `millrace_models_loaded_bytes`.
  std::shared_ptr<prometheus::Registry> metrics = std::make_shared<prometheus::Registry>();
};

/// The models of a repository. A version is cold until it has a share of the traffic or a request
/// asks for it; from then on it is loaded, as long as there is room.
///
/// Finding a version takes one short lock and never waits for a change: changes prepare a new table
/// beside the old one and swap it in. Changes wait for the disk and for each other. Thread-safe.
class ServedModels {
 public:
  /// Loads what has traffic in the repository, which it does not own. A version that cannot be
  /// loaded is logged and answers UNAVAILABLE; the others serve.
  static absl::StatusOr<std::unique_ptr<ServedModels>> Open(Repository& repository,
                                                            ServedOptions options = {});

  /// The version for the next request for `models/{model}` or `models/{model}/versions/{version}`;
  /// null when it is cold: ask Load() where waiting is allowed. INVALID_ARGUMENT, NOT_FOUND, or
  /// UNAVAILABLE for a version that could not be loaded.
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

  /// Loads the version that Find() or Look() with the same words found cold; concurrent callers
  /// load it once. Waits for the disk. Never null. As Find(), and RESOURCE_EXHAUSTED when there is
  /// no room.
  absl::StatusOr<std::shared_ptr<const ServedVersion>> Load(std::string_view name);
  absl::StatusOr<std::shared_ptr<const ServedVersion>> Load(std::string_view id,
                                                            std::string_view version);

  /// What Add() would say of a bundle that such a header announces, as far as that can be told:
  /// FAILED_PRECONDITION when its signature does not fit the model's versions (signature_rule.h),
  /// RESOURCE_EXHAUSTED when it has no room.
  absl::Status Check(const v1::UploadHeader& header);

  /// Verifies, warms and stores a bundle that was announced by `header`, then lets it serve.
  /// INVALID_ARGUMENT for a bad name or a signature that is not the bundle's, or what LoadModel()
  /// and Check() say. What is a version already changes nothing, room or not. Here and below
  /// `caller` is who asked: for the history of the route.
  absl::StatusOr<v1::ModelVersion> Add(const v1::UploadHeader& header,
                                       std::string_view bytes,
                                       const std::string& caller = {});

  /// A version, or of a model's name the one that its route prefers.
  absl::StatusOr<v1::ModelVersion> Get(std::string_view name);

  absl::StatusOr<v1::ListModelsResponse> List(const v1::ListModelsRequest& request);

  /// Loads what gets traffic first: FAILED_PRECONDITION where that cannot be; else as
  /// Route::Create().
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
  // A version of the catalog: serving, or the reason why it cannot, or null while it is cold.
  using Slot = absl::StatusOr<std::shared_ptr<const ServedVersion>>;

  struct Version {
    VersionRecord record;
    Slot slot = nullptr;
  };

  struct Model {
    std::map<std::int32_t, Version> versions;  // not empty
    std::optional<Route> route;                // set once the model is in a table
    std::shared_ptr<std::atomic<std::uint64_t>> tickets =
        std::make_shared<std::atomic<std::uint64_t>>(0);
  };

  // What is loaded.
  struct Loaded {
    struct Idle {
      std::chrono::steady_clock::time_point used;
      std::string id;
      std::int32_t number = 0;
      std::int64_t bytes = 0;
    };

    std::int64_t serving_bytes = 0;  // of versions with traffic
    std::int64_t bytes = 0;          // of all
    std::vector<Idle> idle;          // without traffic, the least recently used first
  };

  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the library's name

    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  using Table =
      std::unordered_map<std::string, std::shared_ptr<const Model>, Hash, std::equal_to<>>;

  ServedModels(Repository& repository, ServedOptions options);

  [[nodiscard]] std::shared_ptr<const Table> table() const;
  [[nodiscard]] std::shared_ptr<const Model> ModelOf(std::string_view id) const;
  [[nodiscard]] Slot LoadFrom(const VersionRecord& record) const;

  static absl::Status NoSuchModel(std::string_view id);

  // The version `number`, or what the route chooses for 0.
  static Slot Choose(const Model& model, std::int32_t number);
  static std::int32_t ColdShare(const Model& model);

  // Those below are called with changing_ held.
  Slot LoadCold(const std::string& id, std::int32_t number);
  absl::Status CheckSignature(const std::string& id, const v1::ModelSignature& next);
  [[nodiscard]] Loaded LoadedNow() const;
  [[nodiscard]] absl::Status CheckRoom(const Loaded& loaded,
                                       std::int64_t bytes,
                                       const std::string& name) const;
  [[nodiscard]] std::int32_t SameAs(const std::string& id, std::string_view bytes) const;
  absl::StatusOr<v1::ModelVersion> AddAgain(const v1::UploadHeader& header,
                                            std::string_view bytes,
                                            const std::string& id,
                                            std::int32_t number);
  absl::Status MakeRoom(std::int64_t bytes, const std::string& name);
  absl::Status Publish(const std::string& id, Model model, std::vector<v1::RouteShare> shares);
  void Swap(Table table);

  Repository& repository_;
  const ServedOptions options_;
  const std::shared_ptr<PredictionMetrics> metrics_;
  prometheus::Gauge& loaded_bytes_;
  std::mutex changing_;             // held by one change at a time
  mutable std::mutex table_mutex_;  // held for a pointer's copy only
  std::shared_ptr<const Table> table_ = std::make_shared<Table>();  // guarded by table_mutex_
  QuietTimer quiet_{std::chrono::seconds(10), GiveFreedMemory};     // since the last change
};

}  // namespace millrace::serving
