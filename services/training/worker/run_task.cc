#include "services/training/worker/run_task.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/model/bundle.h"
#include "common/network/kernels/kernels.h"
#include "common/patience/passing.h"
#include "common/rpc/channel.h"
#include "common/status/status.h"
#include "common/storage/file_system.h"
#include "services/training/evaluate/baseline.h"
#include "services/training/evaluate/evaluator.h"
#include "services/training/fetch/fetch.h"
#include "services/training/publish/trained_files.h"
#include "services/training/train/spec.h"
#include "services/training/train/trainer.h"
#include "services/training/worker/await_folder.h"
#include "services/training/worker/checkpoint.h"
#include "services/training/worker/lineage.h"
#include "services/training/worker/run_progress.h"

namespace millrace::training {

namespace {

using model::v1::Evaluation;

// How long the worker of a service that was killed may take to end.
constexpr std::chrono::seconds kFolderWait{10};

// A task and the worker's lines to the outside.
struct TaskContext {
  const v1::WorkerTask& task;
  const Reporter& report;
  Patience& patience;
  const std::stop_token& stop;
};

SplitView ViewOf(schema::v1::Split split, const Examples& examples) {
  return {.split = split, .x = examples.x, .labels = examples.labels};
}

v1::CheckpointIdentity IdentityOf(const v1::WorkerTask& task,
                                  const FetchedDataset& dataset,
                                  const network::Network& network) {
  v1::CheckpointIdentity identity;
  identity.set_run(task.run());
  identity.set_spec_sha256(SpecSha256(task.spec()));
  identity.set_dataset_sha256(dataset.version.sha256());
  identity.set_parameter_count(network.parameter_count());
  return identity;
}

// The checkpoint to go on from, or one that holds nothing but whose it is.
absl::StatusOr<Checkpoint> FindStart(CheckpointFolder& folder,
                                     const v1::CheckpointIdentity& identity,
                                     const v1::WorkerTask& task,
                                     const Reporter& report) {
  ASSIGN_OR_RETURN(CheckpointFolder::Found found, folder.Find(identity, task.epochs_done()));
  for (std::string& note : found.notes) {
    RETURN_IF_ERROR(ReportNote(report, std::move(note)));
  }
  if (!found.checkpoint.has_value()) {
    Checkpoint start;
    *start.header.mutable_identity() = identity;
    return start;
  }
  const TrainerState& state = found.checkpoint->state;
  RETURN_IF_ERROR(ReportNote(report,
                             fmt::format("resumed at epoch {}, step {}",
                                         std::min(state.epoch + 1, task.spec().epochs()),
                                         state.step)));
  return *std::move(found.checkpoint);
}

// What a task has made of its dataset.
struct Trained {
  std::int32_t epoch = 0;  // the last one
  std::int32_t kept_epoch = 0;
  std::vector<float> weights;  // that were kept
  std::string builds;          // see Lineage
  std::string kernel_level;
};

absl::StatusOr<Trained> TrainOn(const FetchedDataset& dataset,
                                const BoundSpec& bound,
                                Evaluator& evaluator,
                                const TaskContext& context) {
  Validator validator;
  if (!dataset.validation.labels.empty()) {
    validator = [&](std::span<const float> weights) {
      return evaluator.Evaluate(weights, ViewOf(schema::v1::SPLIT_VALIDATION, dataset.validation));
    };
  }
  const v1::WorkerTask& task = context.task;
  CheckpointFolder folder(storage::PosixFileSystem(), task.folder());
  ASSIGN_OR_RETURN(
      Checkpoint start,
      FindStart(folder, IdentityOf(task, dataset, bound.network), task, context.report));
  RunProgress progress(context.report,
                       folder,
                       {.interval = std::chrono::seconds(task.checkpoint_seconds()),
                        .epochs_stored = task.epochs_done()},
                       std::move(start.header));
  RETURN_IF_ERROR(progress.ReportEpochsBefore());
  const TrainingInput input{.spec = task.spec(),
                            .network = bound.network,
                            .loss = bound.loss,
                            .x = dataset.train.x,
                            .labels = dataset.train.labels,
                            .validator = std::move(validator)};
  ASSIGN_OR_RETURN(const TrainerState state,
                   Train(input, progress, context.stop, std::move(start.state)));
  RETURN_IF_ERROR(progress.TrainingEnded(state));
  const std::span<const float> kept = state.kept_weights();
  return Trained{.epoch = state.epoch,
                 .kept_epoch = state.kept_epoch(),
                 .weights = {kept.begin(), kept.end()},
                 .builds = progress.BuildNames(),
                 .kernel_level = progress.kernel_level()};
}

// On validation and test, where they are not empty, beside what a constant answer is worth.
absl::StatusOr<std::vector<Evaluation>> EvaluateOn(const FetchedDataset& dataset,
                                                   const BoundSpec& bound,
                                                   std::span<const float> weights,
                                                   Evaluator& evaluator) {
  std::vector<Evaluation> evaluations;
  for (const SplitView& split : {ViewOf(schema::v1::SPLIT_VALIDATION, dataset.validation),
                                 ViewOf(schema::v1::SPLIT_TEST, dataset.test)}) {
    if (!split.labels.empty()) {
      ASSIGN_OR_RETURN(Evaluation evaluation, evaluator.Evaluate(weights, split));
      *evaluation.add_baselines() =
          ConstantBaseline(bound.loss, bound.network.outputs(), dataset.train.labels, split.labels);
      evaluations.push_back(std::move(evaluation));
    }
  }
  return evaluations;
}

// Why what was trained is not to be published unless somebody wants it; empty: it is. Of few
// examples it is only told.
absl::StatusOr<std::string> KeptBack(const std::vector<Evaluation>& evaluations,
                                     const TaskContext& context) {
  const std::string worse = evaluations.empty() ? "" : WorseThanConstant(evaluations.front());
  if (worse.empty()) {
    return worse;
  }
  const std::int64_t examples = evaluations.front().example_count();
  if (examples < kJudgedExamplesMin) {
    RETURN_IF_ERROR(ReportNote(
        context.report, fmt::format("{}; of {} examples that says little", worse, examples)));
    return std::string();
  }
  constexpr std::string_view kCollection = "runs/";
  return fmt::format("{}; `millrace run publish {}` publishes it all the same",
                     worse,
                     context.task.run().substr(kCollection.size()));
}

model::Bundle MakeBundle(const v1::WorkerTask& task,
                         FetchedDataset& dataset,
                         const BoundSpec& bound,
                         Trained trained,
                         const std::vector<Evaluation>& evaluations) {
  model::Bundle bundle{.manifest = {}, .weights = std::move(trained.weights)};
  auto& manifest = bundle.manifest;
  // No byte of a bundle tells when or where it was written: after a crash it is written once more.
  *manifest.mutable_create_time() = task.create_time();
  *manifest.mutable_schema() = dataset.version.schema();
  *manifest.mutable_transforms() = dataset.version.transforms();
  *manifest.mutable_training() = task.spec();
  manifest.set_numerics(network::kNumerics);
  const std::vector<model::v1::Tensor> tensors = bound.network.Tensors();
  manifest.mutable_tensors()->Add(tensors.begin(), tensors.end());
  *manifest.mutable_train_statistics() = std::move(dataset.train_statistics);
  manifest.mutable_evaluations()->Add(evaluations.begin(), evaluations.end());
  auto& lineage = *manifest.mutable_lineage();
  lineage.set_run(task.run());
  lineage.set_dataset_version(dataset.version.name());
  lineage.set_dataset_sha256(dataset.version.sha256());
  *lineage.mutable_sources() = dataset.version.sources();
  lineage.set_weights_sha256(WeightsSha256(bundle.weights));
  lineage.set_build(std::move(trained.builds));
  lineage.set_kernel_level(std::move(trained.kernel_level));
  return bundle;
}

// Into the run's folder. A full disk is waited for as a peer is: the training is worth it.
absl::Status Keep(const model::Bundle& bundle, const TaskContext& context) {
  ASSIGN_OR_RETURN(const std::string bytes, model::WriteBundle(bundle));
  return context.patience.Try([&]() -> Patience::Attempt {
    const absl::Status written = WriteTrained(
        storage::PosixFileSystem(), context.task.folder(), bytes, bundle.manifest.transforms());
    if (written.ok() || !IsPassing(written)) {
      return {.status = written};
    }
    return {.status = written,
            .reason = absl::IsResourceExhausted(written)
                          ? "the disk of the training service is full"
                          : "the disk of the training service cannot be written"};
  });
}

absl::StatusOr<FetchedDataset> FetchFor(const TaskContext& context) {
  const v1::WorkerTask& task = context.task;
  ASSIGN_OR_RETURN(
      const auto channel,
      rpc::MakeChannel(task.data_address(), {.tls = task.tls(), .token_file = task.token_file()}));
  const auto data_service = data::v1::DataService::NewStub(channel);
  FetchOptions options;
  if (task.examples_bytes_max() > 0) {
    options.bytes_max = task.examples_bytes_max();
  }
  options.request_id = task.request_id();
  return Fetch(*data_service, task.dataset_version(), options, context.patience, context.stop);
}

absl::StatusOr<v1::WorkerResult> Work(const TaskContext& context) {
  const v1::WorkerTask& task = context.task;
  ASSIGN_OR_RETURN(FetchedDataset dataset, FetchFor(context));
  RETURN_IF_ERROR(
      ReportNote(context.report,
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
  ASSIGN_OR_RETURN(Trained trained, TrainOn(dataset, bound, evaluator, context));
  ASSIGN_OR_RETURN(const std::vector<Evaluation> evaluations,
                   EvaluateOn(dataset, bound, trained.weights, evaluator));
  RETURN_IF_ERROR(ReportNote(
      context.report,
      fmt::format("trained {} epochs and kept epoch {}", trained.epoch, trained.kept_epoch)));
  v1::WorkerResult result;
  ASSIGN_OR_RETURN(*result.mutable_kept_back(), KeptBack(evaluations, context));
  result.set_best_epoch(trained.kept_epoch);
  const model::Bundle bundle = MakeBundle(task, dataset, bound, std::move(trained), evaluations);
  RETURN_IF_ERROR(Keep(bundle, context));
  result.mutable_evaluations()->Add(evaluations.begin(), evaluations.end());
  result.set_weights_sha256(bundle.manifest.lineage().weights_sha256());
  return result;
}

}  // namespace

absl::StatusOr<v1::WorkerReport> RunTask(const v1::WorkerTask& task,
                                         const Reporter& report,
                                         const std::stop_token& stop,
                                         const Patience::Options& patience_options) {
  if (!network::kernels::Supported()) {
    return FailedPrecondition("this machine has no AVX2 and FMA, which the kernels need");
  }
  ASSIGN_OR_RETURN(const storage::FolderLock lock, AwaitFolder(task.folder(), kFolderWait, stop));
  // How many epochs a run may have is for the service to say, which accepted this one.
  RETURN_IF_ERROR(Validate(task.spec(), {.epochs_max = std::numeric_limits<std::int32_t>::max()}));
  const auto tell = [&report](const std::string& reason) {
    v1::WorkerReport waiting;
    waiting.set_waiting(reason);
    return report(waiting);
  };
  Patience patience(patience_options, tell, stop);
  absl::StatusOr<v1::WorkerResult> result =
      Work({.task = task, .report = report, .patience = patience, .stop = stop});
  v1::WorkerReport last;
  if (result.ok()) {
    *last.mutable_result() = *std::move(result);
  } else if (patience.gave_up()) {
    last.set_gave_way(patience.reason());
  } else {
    return result.status();
  }
  return last;
}

}  // namespace millrace::training
