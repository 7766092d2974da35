#include "services/training/worker/run_task.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/util/time_util.h>

#include "common/clock/clock.h"
#include "common/model/bundle.h"
#include "common/network/kernels/kernels.h"
#include "common/rpc/channel.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "services/training/evaluate/evaluator.h"
#include "services/training/fetch/fetch.h"
#include "services/training/publish/publish.h"
#include "services/training/train/spec.h"
#include "services/training/train/trainer.h"
#include "services/training/worker/lineage.h"

namespace millrace::training {

namespace {

using model::v1::Evaluation;

// What an upload may take beyond PublishOptions' time: at least 8 MiB a second.
constexpr std::int64_t kUploadBytesPerSecond = std::int64_t{8} << 20;

// The worker's two lines to the outside.
struct Progress {
  const Reporter& report;
  const std::stop_token& stop;
};

absl::Status Note(const Reporter& report, std::string text) {
  v1::WorkerReport message;
  message.set_note(std::move(text));
  return report(message);
}

class EpochReporter final : public TrainObserver {
 public:
  explicit EpochReporter(const Reporter& report) : report_(report) {}

  absl::Status EpochEnded(const model::v1::EpochMetrics& metrics,
                          const TrainerState& /*state*/) override {
    v1::WorkerReport message;
    *message.mutable_epoch() = metrics;
    return report_(message);
  }

 private:
  const Reporter& report_;
};

SplitView ViewOf(schema::v1::Split split, const Examples& examples) {
  return {.split = split, .x = examples.x, .labels = examples.labels};
}

absl::StatusOr<TrainerState> TrainOn(const FetchedDataset& dataset,
                                     const model::v1::TrainingSpec& spec,
                                     const BoundSpec& bound,
                                     Evaluator& evaluator,
                                     const Progress& progress) {
  Validator validator;
  if (!dataset.validation.labels.empty()) {
    validator = [&](std::span<const float> weights) {
      return evaluator.Evaluate(weights, ViewOf(schema::v1::SPLIT_VALIDATION, dataset.validation));
    };
  }
  const TrainingInput input{.spec = spec,
                            .network = bound.network,
                            .loss = bound.loss,
                            .x = dataset.train.x,
                            .labels = dataset.train.labels,
                            .validator = std::move(validator)};
  EpochReporter observer(progress.report);
  return Train(input, observer, progress.stop);
}

// On validation and test, where they are not empty.
absl::StatusOr<std::vector<Evaluation>> EvaluateOn(const FetchedDataset& dataset,
                                                   std::span<const float> weights,
                                                   Evaluator& evaluator) {
  std::vector<Evaluation> evaluations;
  for (const SplitView& split : {ViewOf(schema::v1::SPLIT_VALIDATION, dataset.validation),
                                 ViewOf(schema::v1::SPLIT_TEST, dataset.test)}) {
    if (!split.labels.empty()) {
      ASSIGN_OR_RETURN(Evaluation evaluation, evaluator.Evaluate(weights, split));
      evaluations.push_back(std::move(evaluation));
    }
  }
  return evaluations;
}

model::Bundle MakeBundle(const v1::WorkerTask& task,
                         FetchedDataset& dataset,
                         const BoundSpec& bound,
                         std::span<const float> weights,
                         const std::vector<Evaluation>& evaluations) {
  model::Bundle bundle{.manifest = {}, .weights = {weights.begin(), weights.end()}};
  auto& manifest = bundle.manifest;
  const auto now = SystemClock().Now().time_since_epoch();
  *manifest.mutable_create_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  *manifest.mutable_schema() = dataset.version.schema();
  *manifest.mutable_transforms() = dataset.version.transforms();
  *manifest.mutable_training() = task.spec();
  const std::vector<model::v1::Tensor> tensors = bound.network.Tensors();
  manifest.mutable_tensors()->Add(tensors.begin(), tensors.end());
  *manifest.mutable_train_statistics() = std::move(dataset.train_statistics);
  manifest.mutable_evaluations()->Add(evaluations.begin(), evaluations.end());
  auto& lineage = *manifest.mutable_lineage();
  lineage.set_run(task.run());
  lineage.set_dataset_version(dataset.version.name());
  lineage.set_dataset_sha256(dataset.version.sha256());
  *lineage.mutable_sources() = dataset.version.sources();
  lineage.set_weights_sha256(WeightsSha256(weights));
  lineage.set_build(std::string(BuildName()));
  lineage.set_kernel_level(std::string(network::kernels::LevelName()));
  return bundle;
}

absl::StatusOr<serving::v1::ModelVersion> PublishTo(const v1::WorkerTask& task,
                                                    const model::Bundle& bundle,
                                                    const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::string bytes, model::WriteBundle(bundle));
  const auto serving_service =
      serving::v1::ServingService::NewStub(rpc::MakeChannel(task.serving_address()));
  PublishOptions options;
  options.timeout +=
      std::chrono::seconds(static_cast<std::int64_t>(bytes.size()) / kUploadBytesPerSecond);
  return Publish(*serving_service, task.model(), bytes, options, stop);
}

absl::StatusOr<FetchedDataset> FetchFor(const v1::WorkerTask& task, const std::stop_token& stop) {
  const auto data_service = data::v1::DataService::NewStub(rpc::MakeChannel(task.data_address()));
  FetchOptions options;
  if (task.examples_bytes_max() > 0) {
    options.bytes_max = task.examples_bytes_max();
  }
  return Fetch(*data_service, task.dataset_version(), options, stop);
}

}  // namespace

absl::StatusOr<v1::WorkerResult> RunTask(const v1::WorkerTask& task,
                                         const Reporter& report,
                                         const std::stop_token& stop) {
  if (!network::kernels::Supported()) {
    return FailedPrecondition("this machine has no AVX2 and FMA, which the kernels need");
  }
  ASSIGN_OR_RETURN(const storage::FolderLock lock, storage::FolderLock::Take(task.folder()));
  RETURN_IF_ERROR(Validate(task.spec()));
  ASSIGN_OR_RETURN(FetchedDataset dataset, FetchFor(task, stop));
  RETURN_IF_ERROR(
      Note(report,
           fmt::format("fetched {} train, {} validation and {} test examples of {} inputs",
                       dataset.train.labels.size(),
                       dataset.validation.labels.size(),
                       dataset.test.labels.size(),
                       dataset.version.transforms().input_count())));
  const schema::v1::TransformSet& transforms = dataset.version.transforms();
  ASSIGN_OR_RETURN(const BoundSpec bound,
                   Bind(task.spec(),
                        {.transforms = transforms,
                         .train_count = dataset.version.train_count(),
                         .validation_count = dataset.version.validation_count()}));
  ASSIGN_OR_RETURN(
      Evaluator evaluator,
      Evaluator::Create(task.spec().network(), bound.network, bound.loss, transforms.task()));
  ASSIGN_OR_RETURN(
      const TrainerState state,
      TrainOn(dataset, task.spec(), bound, evaluator, {.report = report, .stop = stop}));
  ASSIGN_OR_RETURN(const std::vector<Evaluation> evaluations,
                   EvaluateOn(dataset, state.kept_weights(), evaluator));
  const model::Bundle bundle = MakeBundle(task, dataset, bound, state.kept_weights(), evaluations);
  RETURN_IF_ERROR(Note(report,
                       fmt::format("trained {} epochs and kept epoch {}; publishing to {}",
                                   state.epoch,
                                   state.kept_epoch(),
                                   task.model())));
  ASSIGN_OR_RETURN(const serving::v1::ModelVersion version, PublishTo(task, bundle, stop));
  v1::WorkerResult result;
  result.set_best_epoch(state.kept_epoch());
  result.mutable_evaluations()->Add(evaluations.begin(), evaluations.end());
  result.set_model_version(version.name());
  result.set_weights_sha256(bundle.manifest.lineage().weights_sha256());
  return result;
}

}  // namespace millrace::training
