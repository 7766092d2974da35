#include "clients/cli/run.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "millrace/data/v1/data_service.pb.h"
#include "millrace/model/v1/training_spec.pb.h"
#include "millrace/training/v1/training_service.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/console.h"
#include "clients/cli/default_spec.h"
#include "clients/cli/failure.h"
#include "clients/cli/figures.h"
#include "clients/cli/follow.h"
#include "clients/cli/listing.h"
#include "clients/cli/output.h"
#include "clients/cli/reference.h"
#include "clients/cli/run_summary.h"
#include "clients/cli/spelling.h"
#include "clients/cli/table.h"
#include "clients/cli/verb.h"
#include "clients/cli/yaml_file.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using training::v1::Run;
using training::v1::RunEvent;

// The words of `run start`.
struct StartWords {
  std::string file;
  std::string dataset;
  std::string model;
  std::vector<std::string> overrides;  // path=value
  std::optional<std::int32_t> epochs;
  std::optional<std::int32_t> batch_size;
  std::optional<std::int64_t> seed;
  std::optional<std::int32_t> threads;
  bool no_traffic = false;
  bool detach = false;
  Consent consent;
};

// The spec of the file, or one that fits the dataset.
absl::Status FillSpec(const StartWords& words, Shell& shell, model::v1::TrainingSpec& spec) {
  if (!words.file.empty()) {
    return ReadYaml(words.file, spec);
  }
  data::v1::GetDatasetRequest request;
  request.set_name(FullName("datasets", words.dataset));
  ASSIGN_OR_RETURN(const data::v1::DatasetVersion dataset,
                   shell.connection.Call(shell.connection.Data(), &DataStub::GetDataset, request));
  spec = DefaultSpec(dataset);
  return absl::OkStatus();
}

absl::StatusOr<training::v1::CreateRunRequest> Understand(const StartWords& words, Shell& shell) {
  training::v1::CreateRunRequest request;
  request.set_dataset_version(FullName("datasets", words.dataset));
  const std::string dataset = ShortName(request.dataset_version());
  request.set_model(
      FullName("models", words.model.empty() ? dataset.substr(0, dataset.find('@')) : words.model));
  request.set_no_traffic(words.no_traffic);
  model::v1::TrainingSpec& spec = *request.mutable_spec();
  RETURN_IF_ERROR(FillSpec(words, shell, spec));
  RETURN_IF_ERROR(Override(words.overrides, spec));
  spec.set_epochs(words.epochs.value_or(spec.epochs()));
  spec.set_batch_size(words.batch_size.value_or(spec.batch_size()));
  spec.set_seed(words.seed.value_or(spec.seed()));
  spec.set_threads(words.threads.value_or(spec.threads()));
  if (words.file.empty()) {
    shell.console.Note(fmt::format("chosen for it: {}", SpecLine(spec)));
  }
  return request;
}

absl::Status Start(const StartWords& words, Shell& shell) {
  ASSIGN_OR_RETURN(const training::v1::CreateRunRequest request, Understand(words, shell));
  std::string dataset = words.dataset;
  if (words.consent.dry_run) {
    ASSIGN_OR_RETURN(const Run checked, CheckRun(shell, request));
    dataset = ShortName(checked.dataset_version());
  }
  if (IsDryRun(shell,
               words.consent,
               fmt::format("train {} on {}", ShortName(request.model()), dataset))) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(Run run, CreateRun(shell, request));
  if (words.detach) {
    shell.Print({.json = ToJson(run), .text = ShortName(run.name()) + "\n", .names = {run.name()}});
    shell.console.Note(fmt::format("next: millrace run watch {}", ShortName(run.name())));
    return absl::OkStatus();
  }
  const std::string name = run.name();
  ASSIGN_OR_RETURN(run, Follow(shell, name));
  shell.Print(
      {.json = ToJson(run), .text = EndedRunSummary(run, shell.page()), .names = {run.name()}});
  RETURN_IF_ERROR(Outcome(run));
  shell.console.Note(fmt::format("next: millrace model show {}", ShortName(run.model_version())));
  return absl::OkStatus();
}

absl::Status WatchOne(const std::string& name, Shell& shell) {
  const std::string full = FullName("runs", name);
  if (shell.format == Format::kJson || shell.format == Format::kYaml) {
    const bool yaml = shell.format == Format::kYaml;
    ASSIGN_OR_RETURN(const Run run, Watch(shell, full, [&shell, yaml](const RunEvent& event) {
                       shell.console.Print(yaml ? "---\n" : "");
                       shell.Print({.json = ToJson(event, /*one_line=*/true), .text = {}});
                     }));
    return Outcome(run);
  }
  ASSIGN_OR_RETURN(const Run run, Follow(shell, full));
  shell.Print({.json = {}, .text = EndedRunSummary(run, shell.page()), .names = {run.name()}});
  return Outcome(run);
}

// What runs wait for, which has no room in the table.
void TellReasons(const training::v1::ListRunsResponse& list, Shell& shell) {
  for (const Run& run : list.runs()) {
    if (!run.reason().empty() && shell.format == Format::kTable && !shell.piped()) {
      shell.console.Note(fmt::format(
          "{} {}: {}", ShortName(run.name()), Spell(run.state()), Printable(run.reason())));
    }
  }
}

absl::Status ListRuns(int limit, Shell& shell) {
  ASSIGN_OR_RETURN(const training::v1::ListRunsResponse list,
                   List(shell,
                        shell.connection.Training(),
                        &TrainingStub::ListRuns,
                        training::v1::ListRunsRequest(),
                        limit));
  if (list.runs().empty() && shell.for_people()) {
    shell.console.Note("no runs yet");
    shell.console.Note("next: millrace run start --dataset NAME");
    return absl::OkStatus();
  }
  Table table({"NAME",
               "STATE",
               ">EPOCHS",
               "DATASET",
               "MODEL",
               "VALIDATION",
               "TEST",
               "+>SEED",
               "+NETWORK",
               "+REASON",
               "CREATED (UTC)"});
  Result result{.json = ToJson(list)};
  for (const Run& run : list.runs()) {
    table.Add({ShortName(run.name()),
               Spell(run.state()),
               fmt::format("{}/{}", run.epochs_done(), run.spec().epochs()),
               ShortName(run.dataset_version()),
               ShortName(run.model_version().empty() ? run.model() : run.model_version()),
               FigureOf(run.evaluations(), schema::v1::SPLIT_VALIDATION),
               FigureOf(run.evaluations(), schema::v1::SPLIT_TEST),
               fmt::format("{}", run.spec().seed()),
               NetworkLine(run.spec().network()),
               run.reason(),
               Spell(run.create_time(), shell.piped())});
    result.names.push_back(run.name());
  }
  result.text = table.ToString(shell.style());
  shell.Print(result);
  TellReasons(list, shell);
  return absl::OkStatus();
}

absl::StatusOr<Run> GetRun(const std::string& full_name, Shell& shell) {
  training::v1::GetRunRequest request;
  request.set_name(full_name);
  return shell.connection.Call(shell.connection.Training(), &TrainingStub::GetRun, request);
}

absl::Status Show(const std::string& name, Shell& shell) {
  ASSIGN_OR_RETURN(const Run run, GetRun(FullName("runs", name), shell));
  shell.Print({.json = ToJson(run), .text = RunSummary(run, shell.page()), .names = {run.name()}});
  return absl::OkStatus();
}

absl::Status Cancel(const std::string& name, Shell& shell) {
  training::v1::CancelRunRequest request;
  request.set_name(FullName("runs", name));
  ASSIGN_OR_RETURN(
      const Run run,
      shell.connection.Call(shell.connection.Training(), &TrainingStub::CancelRun, request));
  shell.Print({.json = ToJson(run),
               .text = fmt::format("run {}: {}\n", ShortName(run.name()), Spell(run.state())),
               .names = {run.name()}});
  return absl::OkStatus();
}

absl::Status Publish(const std::string& name, Shell& shell) {
  training::v1::PublishRunRequest request;
  request.set_name(FullName("runs", name));
  ASSIGN_OR_RETURN(
      const Run run,
      shell.connection.Call(shell.connection.Training(), &TrainingStub::PublishRun, request));
  shell.Print({.json = ToJson(run),
               .text = fmt::format("run {}: {}\n", ShortName(run.name()), Spell(run.state())),
               .names = {run.name()}});
  shell.console.Note(fmt::format("next: millrace run watch {}", ShortName(run.name())));
  return absl::OkStatus();
}

absl::Status LookAt(const std::string& full_name, Shell& shell) {
  ASSIGN_OR_RETURN(const Run run, GetRun(full_name, shell));
  if (run.state() == Run::STATE_UNPUBLISHED) {
    shell.console.Note("it is trained and not published: what it learned goes with it");
  }
  return absl::OkStatus();
}

absl::Status Remove(const std::string& full_name, Shell& shell) {
  training::v1::DeleteRunRequest request;
  request.set_name(full_name);
  ASSIGN_OR_RETURN(
      const training::v1::DeleteRunResponse response,
      shell.connection.Call(shell.connection.Training(), &TrainingStub::DeleteRun, request));
  shell.Print({.json = ToJson(response),
               .text = fmt::format("deleted run {}\n", ShortName(full_name)),
               .names = {full_name}});
  return absl::OkStatus();
}

void AddStart(CLI::App& noun, Action& chosen) {
  const auto words = std::make_shared<StartWords>();
  CLI::App* const verb = noun.add_subcommand("start", "train a model and follow it");
  verb->add_option(
      "-f,--file", words->file, "the training spec, YAML; one that fits the task when not given");
  verb->add_option("--dataset", words->dataset, "NAME or NAME@VERSION")->required();
  verb->add_option("--model",
                   words->model,
                   "the model that gets a new version; the dataset's name when not given");
  verb->add_option("--epochs", words->epochs, "instead of the spec's");
  verb->add_option("--batch-size", words->batch_size, "instead of the spec's");
  verb->add_option("--seed", words->seed, "instead of the spec's");
  verb->add_option("--threads", words->threads, "instead of the spec's");
  verb->add_option("--set", words->overrides, "PATH=VALUE, any other field; may be repeated")
      ->allow_extra_args(false);
  verb->add_flag(
      "--no-traffic", words->no_traffic, "leave the model's traffic with the versions that serve");
  verb->add_flag("--detach", words->detach, "return at once; the run goes on");
  AddConsent(*verb, words->consent, /*asks=*/false);
  verb->callback(
      [words, &chosen] { chosen = [words](Shell& shell) { return Start(*words, shell); }; });
}

}  // namespace

void AddRun(CLI::App& app, Action& chosen) {
  CLI::App* const noun = app.add_subcommand("run", "one training of a spec on a dataset version");
  AddStart(*noun, chosen);

  AddListOfAll(*noun, chosen, "list runs, newest first", ListRuns);
  const auto named = [&](const char* verb, const char* help, auto act) {
    AddNamed(*noun, chosen, {verb, help, "RUN", "the run's name"}, act);
  };
  named("show", "one run as it is now", Show);
  named("watch", "follow a run until it ends", WatchOne);
  named("cancel", "ask a run to stop", Cancel);
  named("publish", "publish a trained run that is not published", Publish);
  AddRemove(*noun,
            chosen,
            {"rm", "delete a run that has ended; model versions stay", "RUN", "the run's name"},
            {.collection = "runs", .look = LookAt, .act = Remove});
}

}  // namespace millrace::cli
