#include "clients/cli/pipeline.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <google/protobuf/util/message_differencer.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/pipeline/v1/pipeline.pb.h"
#include "millrace/serving/v1/serving_service.pb.h"
#include "millrace/training/v1/training_service.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/console.h"
#include "clients/cli/follow.h"
#include "clients/cli/import.h"
#include "clients/cli/import_check.h"
#include "clients/cli/input_file.h"
#include "clients/cli/listing.h"
#include "clients/cli/output.h"
#include "clients/cli/reference.h"
#include "clients/cli/run_summary.h"
#include "clients/cli/verb.h"
#include "clients/cli/yaml_file.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using data::v1::DatasetVersion;
using data::v1::ImportHeader;
using google::protobuf::util::MessageDifferencer;
using pipeline::v1::PipelineSpec;
using serving::v1::ModelVersion;
using training::v1::CreateRunRequest;
using training::v1::Run;

// The words of `pipeline apply`.
struct ApplyWords {
  std::string file;
  std::vector<std::string> overrides;  // path=value
  bool again = false;
  Consent consent;
};

absl::Status Require(const std::string& file, std::string_view field, const std::string& value) {
  return value.empty() ? WithFix(InvalidArgument("{}: {} is missing", file, field),
                                 "deploy/examples/seed.yaml shows every part")
                       : absl::OkStatus();
}

absl::StatusOr<PipelineSpec> ReadSpec(const ApplyWords& words) {
  PipelineSpec spec;
  RETURN_IF_ERROR(ReadYaml(words.file, spec));
  RETURN_IF_ERROR(Override(words.overrides, spec));
  RETURN_IF_ERROR(Require(words.file, "dataset.name", spec.dataset().name()));
  RETURN_IF_ERROR(Require(words.file, "dataset.file", spec.dataset().file()));
  RETURN_IF_ERROR(Require(words.file, "model", spec.model()));
  return spec;
}

ImportHeader HeaderOf(const PipelineSpec& spec) {
  ImportHeader header;
  header.set_dataset(FullName("datasets", spec.dataset().name()));
  *header.mutable_options() = spec.dataset().options();
  return header;
}

// Where the file is that `yaml` names. An absolute path stays what it is.
std::string FileOf(const std::string& yaml, const PipelineSpec& spec) {
  return (std::filesystem::path(yaml).parent_path() / spec.dataset().file()).string();
}

CreateRunRequest RequestOf(const std::string& dataset, const PipelineSpec& spec) {
  CreateRunRequest request;
  request.set_dataset_version(dataset);
  request.set_model(FullName("models", spec.model()));
  *request.mutable_spec() = spec.training();
  return request;
}

// The newest version of the model that `checked` would make again: of the same data and spec. One
// that has been deleted is none.
absl::StatusOr<std::optional<ModelVersion>> Earlier(const DatasetVersion& dataset,
                                                    const Run& checked,
                                                    Shell& shell) {
  serving::v1::ListModelsRequest request;
  request.set_model(checked.model());
  ASSIGN_OR_RETURN(const serving::v1::ListModelsResponse list,
                   List(shell,
                        shell.connection.Serving(),
                        &ServingStub::ListModels,
                        std::move(request),
                        kListMax));
  for (const ModelVersion& version : list.models()) {
    if (version.manifest().lineage().dataset_sha256() == dataset.sha256() &&
        MessageDifferencer::Equals(version.manifest().training(), checked.spec())) {
      return std::optional(version);
    }
  }
  return std::optional<ModelVersion>();
}

// The run that made the version, or, where it is gone, what the version itself says of it.
Run RunOf(const ModelVersion& version, const Run& checked, Shell& shell) {
  training::v1::GetRunRequest request;
  request.set_name(version.manifest().lineage().run());
  absl::StatusOr<Run> known =
      shell.connection.Call(shell.connection.Training(), &TrainingStub::GetRun, request);
  if (known.ok()) {
    return *std::move(known);
  }
  Run run = checked;
  run.set_name(request.name());
  run.set_state(Run::STATE_SUCCEEDED);
  run.set_model_version(version.name());
  run.set_weights_sha256(version.manifest().lineage().weights_sha256());
  *run.mutable_evaluations() = version.manifest().evaluations();
  return run;
}

// The run that made such a version before, or one that makes it now.
absl::StatusOr<Run> TrainStep(Shell& shell,
                              const DatasetVersion& dataset,
                              const PipelineSpec& spec,
                              bool again) {
  const CreateRunRequest request = RequestOf(dataset.name(), spec);
  if (!again) {
    ASSIGN_OR_RETURN(const Run checked, CheckRun(shell, request));
    ASSIGN_OR_RETURN(const std::optional<ModelVersion> earlier, Earlier(dataset, checked, shell));
    if (earlier) {
      shell.console.Note(
          fmt::format("unchanged: {} was trained by this spec on {}; --again trains anew",
                      ShortName(earlier->name()),
                      ShortName(dataset.name())));
      return RunOf(*earlier, checked, shell);
    }
  }
  ASSIGN_OR_RETURN(const Run run, CreateRun(shell, request));
  return Follow(shell, run.name());
}

// What can be said before anything is sent. The spec is held against the newest version of the
// dataset where that was made of this file.
absl::Status CheckSteps(Shell& shell, const ApplyWords& words, const PipelineSpec& spec) {
  const std::string path = FileOf(words.file, spec);
  RETURN_IF_ERROR(CheckImport(path, HeaderOf(spec)));
  data::v1::GetDatasetRequest request;
  request.set_name(FullName("datasets", spec.dataset().name()));
  const absl::StatusOr<DatasetVersion> known =
      shell.connection.Call(shell.connection.Data(), &DataStub::GetDataset, request);
  if (!known.ok() && !absl::IsNotFound(known.status())) {
    return known.status();
  }
  ASSIGN_OR_RETURN(const std::string sha256, DigestOf(path));
  if (known.ok() && known->sources_size() == 1 && known->sources(0).sha256() == sha256 &&
      known->options().label() == spec.dataset().options().label()) {
    return CheckRun(shell, RequestOf(known->name(), spec)).status();
  }
  shell.console.Note("whether the spec fits is seen once the file is imported");
  return absl::OkStatus();
}

absl::Status Apply(const ApplyWords& words, Shell& shell) {
  ASSIGN_OR_RETURN(const PipelineSpec spec, ReadSpec(words));
  if (words.consent.dry_run) {
    RETURN_IF_ERROR(CheckSteps(shell, words, spec));
  }
  if (IsDryRun(shell,
               words.consent,
               fmt::format("import '{}' as {}, and train {} on it",
                           spec.dataset().file(),
                           spec.dataset().name(),
                           spec.model()))) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const DatasetVersion version,
                   ImportFile(shell, FileOf(words.file, spec), HeaderOf(spec)));
  if (shell.for_people()) {
    shell.console.Print(ImportSummary(version, shell.page()) + "\n");
  }
  ASSIGN_OR_RETURN(const Run run, TrainStep(shell, version, spec, words.again));
  shell.Print(
      {.json = fmt::format("{{\"dataset\": {}, \"run\": {}}}\n", ToJson(version), ToJson(run)),
       .text = EndedRunSummary(run, shell.page()),
       .names = {version.name(), run.name()}});
  RETURN_IF_ERROR(Outcome(run));
  shell.console.Note(fmt::format("next: millrace model show {}", ShortName(run.model_version())));
  return absl::OkStatus();
}

}  // namespace

void AddPipeline(CLI::App& app, Action& chosen) {
  CLI::App* const noun = app.add_subcommand("pipeline", "the whole way, from one YAML file");
  const auto words = std::make_shared<ApplyWords>();
  CLI::App* const apply = noun->add_subcommand("apply", "import, train and publish");
  apply->add_option("-f,--file", words->file, "the pipeline, YAML")->required();
  apply->add_option("--set", words->overrides, "PATH=VALUE instead of the file's; may be repeated")
      ->allow_extra_args(false);
  apply->add_flag("--again", words->again, "train even where such a version is there already");
  AddConsent(*apply, words->consent, /*asks=*/false);
  apply->callback(
      [words, &chosen] { chosen = [words](Shell& shell) { return Apply(*words, shell); }; });
}

}  // namespace millrace::cli
