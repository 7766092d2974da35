#include "clients/cli/model.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "millrace/model/v1/bundle.pb.h"
#include "millrace/schema/v1/transforms.pb.h"
#include "millrace/serving/v1/serving_service.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/failure.h"
#include "clients/cli/figures.h"
#include "clients/cli/listing.h"
#include "clients/cli/output.h"
#include "clients/cli/reference.h"
#include "clients/cli/spelling.h"
#include "clients/cli/standing.h"
#include "clients/cli/table.h"
#include "clients/cli/upload.h"
#include "clients/cli/verb.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using serving::v1::ModelVersion;
using serving::v1::UploadHeader;

absl::StatusOr<ModelVersion> GetVersion(const std::string& full_name, Shell& shell) {
  serving::v1::GetModelRequest request;
  request.set_name(full_name);
  return shell.connection.Call(shell.connection.Serving(), &ServingStub::GetModel, request);
}

absl::Status ListVersions(const std::string& model, int limit, Shell& shell) {
  serving::v1::ListModelsRequest request;
  if (!model.empty()) {
    request.set_model(FullName("models", model));
  }
  ASSIGN_OR_RETURN(
      const serving::v1::ListModelsResponse list,
      List(shell, shell.connection.Serving(), &ServingStub::ListModels, std::move(request), limit));
  if (list.models().empty() && !model.empty()) {
    RETURN_IF_ERROR(GetVersion(FullName("models", model), shell).status());
  }
  if (list.models().empty() && shell.for_people()) {
    shell.console.Note("no models yet");
    shell.console.Note("next: millrace run start --dataset NAME");
    return absl::OkStatus();
  }
  Table table({"NAME",
               ">TRAFFIC",
               ">SIZE",
               "VALIDATION",
               "TEST",
               "RUN",
               "+DATASET",
               "+BUNDLE SHA256",
               "CREATED (UTC)"});
  Result result{.json = ToJson(list)};
  for (const ModelVersion& version : list.models()) {
    table.Add({ShortName(version.name()),
               fmt::format("{} %", version.traffic_percent()),
               SpellBytes(version.size_bytes(), shell.piped()),
               FigureOf(version.manifest().evaluations(), schema::v1::SPLIT_VALIDATION),
               FigureOf(version.manifest().evaluations(), schema::v1::SPLIT_TEST),
               ShortName(version.manifest().lineage().run()),
               ShortName(version.manifest().lineage().dataset_version()),
               version.manifest().lineage().bundle_sha256(),
               Spell(version.create_time(), shell.piped())});
    result.names.push_back(version.name());
  }
  result.text = table.ToString(shell.style());
  shell.Print(result);
  return absl::OkStatus();
}

std::string FeatureTable(const schema::v1::TransformSet& transforms, TableStyle style) {
  Table table({"FEATURE", "TYPE", ">INPUTS", "WHEN MISSING"});
  for (const schema::v1::FeatureTransform& feature : transforms.features()) {
    const int inputs = feature.has_one_hot() ? feature.one_hot().categories_size() + 1 : 1;
    table.Add({feature.column().name(),
               Spell(feature.column().type()),
               fmt::format("{}", inputs),
               feature.imputation_case() == schema::v1::FeatureTransform::kCategory
                   ? feature.category()
                   : SpellCell(feature.number(), feature.column().type())});
  }
  return table.ToString(style);
}

std::string ModelSummary(const ModelVersion& version, TableStyle style) {
  const model::v1::BundleManifest& manifest = version.manifest();
  const schema::v1::LabelTransform& label = manifest.transforms().label();
  Table facts;
  facts.Add({"model",
             ShortName(version.name()),
             fmt::format("{} % of the traffic, {}",
                         version.traffic_percent(),
                         SpellBytes(version.size_bytes()))});
  facts.Add(
      {"predicts",
       label.column().name(),
       label.classes().empty() ? "a number" : fmt::format("{}", fmt::join(label.classes(), ", "))});
  facts.Add({"network",
             fmt::format("{} inputs", manifest.transforms().input_count()),
             NetworkLine(manifest.training().network())});
  std::string text = facts.ToString(style) + "\n" + FeatureTable(manifest.transforms(), style) +
                     "\n" + EvaluationTable(manifest.evaluations(), style);
  for (const model::v1::Evaluation& evaluation : manifest.evaluations()) {
    if (evaluation.split() == schema::v1::SPLIT_TEST) {
      text += "\n" +
              ConfusionTable(evaluation, {label.classes().begin(), label.classes().end()}, style);
    }
  }
  return text + "\n" + LineageTable(manifest.lineage(), style);
}

absl::Status Show(const std::string& name, Shell& shell) {
  ASSIGN_OR_RETURN(const ModelVersion version, GetVersion(FullName("models", name), shell));
  shell.Print({.json = ToJson(version),
               .text = ModelSummary(version, shell.page()),
               .names = {version.name()}});
  shell.console.Note(
      fmt::format("next: millrace predict {} FEATURE=VALUE ...", ShortName(version.name())));
  return absl::OkStatus();
}

// The words of `model upload`.
struct UploadWords {
  std::string file;
  std::string name;
  bool no_traffic = false;
  Consent consent;
};

// As UploadModel would say it at its header. A service that is older than the question is not
// asked.
absl::Status CheckUpload(const UploadHeader& header, Shell& shell) {
  serving::v1::CheckModelRequest request;
  *request.mutable_header() = header;
  const absl::Status status =
      shell.connection.Call(shell.connection.Serving(), &ServingStub::CheckModel, request).status();
  return absl::IsUnimplemented(status) ? absl::OkStatus() : status;
}

absl::Status Upload(const UploadWords& words, Shell& shell) {
  absl::StatusOr<UploadHeader> header = HeaderOfBundle(words.file, FullName("models", words.name));
  if (words.consent.dry_run) {
    RETURN_IF_ERROR(header.status());
    RETURN_IF_ERROR(CheckUpload(*header, shell));
  }
  if (IsDryRun(shell,
               words.consent,
               fmt::format("upload '{}' as the next version of {}", words.file, words.name))) {
    return absl::OkStatus();
  }
  if (absl::IsNotFound(header.status())) {
    return header.status();
  }
  if (!header.ok()) {  // what is wrong with it is the service's to say
    header = UploadHeader();
    header->set_model(FullName("models", words.name));
  }
  header->set_no_traffic(words.no_traffic);
  ASSIGN_OR_RETURN(const ModelVersion version, UploadBundle(shell, words.file, *header));
  shell.Print({.json = ToJson(version),
               .text = ModelSummary(version, shell.page()),
               .names = {version.name()}});
  shell.console.Note(fmt::format("next: millrace route show {}", words.name));
  return absl::OkStatus();
}

void AddUploadVerb(CLI::App& noun, Action& chosen) {
  const auto words = std::make_shared<UploadWords>();
  CLI::App* const verb = noun.add_subcommand("upload", "add a bundle that a training run made");
  verb->add_option("FILE", words->file, "the bundle")->required();
  verb->add_option("--name", words->name, "the model that gets a new version")->required();
  verb->add_flag(
      "--no-traffic", words->no_traffic, "leave the model's traffic with the versions that serve");
  AddConsent(*verb, words->consent, /*asks=*/false);
  verb->callback(
      [words, &chosen] { chosen = [words](Shell& shell) { return Upload(*words, shell); }; });
}

absl::Status LookAt(const std::string& full_name, Shell& shell) {
  if (full_name.find("/versions/") == std::string::npos) {
    const std::string name = ShortName(full_name);
    return UsageError(fmt::format("'{}' does not say which version", name),
                      fmt::format("for example {0}@1; 'millrace model ls {0}' lists them", name));
  }
  ASSIGN_OR_RETURN(const ModelVersion version, GetVersion(full_name, shell));
  TellWhatGoesWith(version, shell);
  return absl::OkStatus();
}

absl::Status Remove(const std::string& full_name, Shell& shell) {
  serving::v1::DeleteModelVersionRequest request;
  request.set_name(full_name);
  ASSIGN_OR_RETURN(
      const serving::v1::DeleteModelVersionResponse response,
      shell.connection.Call(shell.connection.Serving(), &ServingStub::DeleteModelVersion, request));
  shell.Print({.json = ToJson(response),
               .text = fmt::format("deleted {}\n", ShortName(full_name)),
               .names = {full_name}});
  return absl::OkStatus();
}

}  // namespace

void AddModel(CLI::App& app, Action& chosen) {
  CLI::App* const noun = app.add_subcommand("model", "what was learned, in numbered versions");
  AddList(*noun,
          chosen,
          {"ls", "list versions, newest first", "MODEL", "only this one's versions", false},
          ListVersions);
  AddNamed(*noun,
           chosen,
           {"show", "features, figures and lineage", "MODEL", "NAME or NAME@VERSION"},
           Show);
  AddUploadVerb(*noun, chosen);
  AddRemove(*noun,
            chosen,
            {"rm", "delete a version", "MODEL", "NAME@VERSION"},
            {.collection = "models", .look = LookAt, .act = Remove});
}

}  // namespace millrace::cli
