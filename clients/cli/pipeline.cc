#include "clients/cli/pipeline.h"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/pipeline/v1/pipeline.pb.h"
#include "millrace/training/v1/training_service.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/follow.h"
#include "clients/cli/import.h"
#include "clients/cli/output.h"
#include "clients/cli/reference.h"
#include "clients/cli/run_summary.h"
#include "clients/cli/verb.h"
#include "clients/cli/yaml_file.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using data::v1::DatasetVersion;
using pipeline::v1::PipelineSpec;
using training::v1::Run;

// The words of `pipeline apply`.
struct ApplyWords {
  std::string file;
  std::vector<std::string> overrides;  // path=value
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

absl::StatusOr<DatasetVersion> ImportStep(Shell& shell,
                                          const std::string& yaml,
                                          const PipelineSpec& spec) {
  data::v1::ImportHeader header;
  header.set_dataset(FullName("datasets", spec.dataset().name()));
  *header.mutable_options() = spec.dataset().options();
  // An absolute path stays what it is.
  const std::filesystem::path path =
      std::filesystem::path(yaml).parent_path() / spec.dataset().file();
  return ImportFile(shell, path.string(), header);
}

absl::StatusOr<Run> TrainStep(Shell& shell,
                              const DatasetVersion& version,
                              const PipelineSpec& spec) {
  training::v1::CreateRunRequest request;
  request.set_dataset_version(version.name());
  request.set_model(FullName("models", spec.model()));
  *request.mutable_spec() = spec.training();
  ASSIGN_OR_RETURN(const Run run, CreateRun(shell, request));
  return Follow(shell, run.name());
}

absl::Status Apply(const ApplyWords& words, Shell& shell) {
  ASSIGN_OR_RETURN(const PipelineSpec spec, ReadSpec(words));
  if (IsDryRun(shell,
               words.consent,
               fmt::format("import '{}' as {}, and train {} on it",
                           spec.dataset().file(),
                           spec.dataset().name(),
                           spec.model()))) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const DatasetVersion version, ImportStep(shell, words.file, spec));
  if (shell.for_people()) {
    shell.console.Print(ImportSummary(version) + "\n");
  }
  ASSIGN_OR_RETURN(const Run run, TrainStep(shell, version, spec));
  shell.Print(
      {.json = fmt::format("{{\"dataset\": {}, \"run\": {}}}\n", ToJson(version), ToJson(run)),
       .text = RunSummary(run),
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
  AddConsent(*apply, words->consent, /*asks=*/false);
  apply->callback(
      [words, &chosen] { chosen = [words](Shell& shell) { return Apply(*words, shell); }; });
}

}  // namespace millrace::cli
