#include "clients/cli/standing.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "millrace/training/v1/training_service.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/console.h"
#include "clients/cli/failure.h"
#include "clients/cli/follow.h"
#include "clients/cli/listing.h"
#include "clients/cli/reference.h"
#include "clients/cli/spelling.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using serving::v1::ModelVersion;
using training::v1::Run;

void TellModels(const std::string& dataset, Shell& shell) {
  const absl::StatusOr<std::vector<ModelVersion>> models = ModelsTrainedOn(dataset, shell);
  if (!models.ok()) {
    shell.console.Note(fmt::format("cannot tell which models were trained on it: {}",
                                   Printable(Message(models.status()))));
    return;
  }
  constexpr std::size_t kShown = 5;
  std::vector<std::string> words;
  for (const ModelVersion& version : *models) {
    if (words.size() == kShown) {
      words.push_back(fmt::format("{} more", models->size() - kShown));
      break;
    }
    words.push_back(version.traffic_percent() > 0 ? fmt::format("{} (serves {} % of its traffic)",
                                                                ShortName(version.name()),
                                                                version.traffic_percent())
                                                  : ShortName(version.name()));
  }
  if (!words.empty()) {
    shell.console.Note(fmt::format("trained on it, and cannot be trained again without it: {}",
                                   fmt::join(words, ", ")));
  }
}

void TellRuns(const std::string& dataset, Shell& shell) {
  const absl::StatusOr<training::v1::ListRunsResponse> list = List(shell,
                                                                   shell.connection.Training(),
                                                                   &TrainingStub::ListRuns,
                                                                   training::v1::ListRunsRequest(),
                                                                   kListMax);
  if (!list.ok()) {
    shell.console.Note(
        fmt::format("cannot tell which runs use it: {}", Printable(Message(list.status()))));
    return;
  }
  for (const Run& run : list->runs()) {
    if (IsUnderWay(run) && IsOf(run.dataset_version(), dataset)) {
      shell.console.Note(
          fmt::format("run {} uses it: {}", ShortName(run.name()), Spell(run.state())));
    }
  }
}

}  // namespace

bool IsOf(const std::string& version, const std::string& dataset) {
  return version == dataset || version.starts_with(dataset + "/versions/");
}

absl::StatusOr<std::vector<ModelVersion>> ModelsTrainedOn(const std::string& dataset,
                                                          Shell& shell) {
  ASSIGN_OR_RETURN(const serving::v1::ListModelsResponse list,
                   List(shell,
                        shell.connection.Serving(),
                        &ServingStub::ListModels,
                        serving::v1::ListModelsRequest(),
                        kListMax));
  std::vector<ModelVersion> models;
  std::copy_if(list.models().begin(),
               list.models().end(),
               std::back_inserter(models),
               [&dataset](const ModelVersion& version) {
                 return IsOf(version.manifest().lineage().dataset_version(), dataset);
               });
  return models;
}

void TellWhatStandsOn(const std::string& dataset, Shell& shell) {
  TellModels(dataset, shell);
  TellRuns(dataset, shell);
}

void TellWhatGoesWith(const ModelVersion& version, Shell& shell) {
  const std::string& name = version.name();
  const std::string model = name.substr(0, name.find("/versions/"));
  serving::v1::ListModelsRequest request;
  request.set_model(model);
  request.set_page_size(2);
  const absl::StatusOr<serving::v1::ListModelsResponse> list =
      shell.connection.Call(shell.connection.Serving(), &ServingStub::ListModels, request);
  if (!list.ok()) {
    shell.console.Note(fmt::format(
        "cannot tell what else {} has: {}", ShortName(model), Printable(Message(list.status()))));
  } else if (list->models_size() == 1) {
    shell.console.Note(
        fmt::format("{} is the last version of {}: who asks {} for predictions will get an error",
                    ShortName(name),
                    ShortName(model),
                    ShortName(model)));
    return;
  }
  if (version.traffic_percent() > 0) {
    shell.console.Note(fmt::format("{} serves {} % of the traffic of {}",
                                   ShortName(name),
                                   version.traffic_percent(),
                                   ShortName(model)));
  }
}

}  // namespace millrace::cli
