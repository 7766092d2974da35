#include "clients/cli/run_summary.h"

#include <string>

#include <fmt/core.h>

#include "millrace/training/v1/training_service.pb.h"

#include "clients/cli/figures.h"
#include "clients/cli/reference.h"
#include "clients/cli/spelling.h"
#include "clients/cli/table.h"

namespace millrace::cli {

std::string RunSummary(const training::v1::Run& run, TableStyle style) {
  const bool published = !run.model_version().empty();
  Table facts;
  facts.Add({"run", ShortName(run.name())});
  facts.Add({"state", Spell(run.state())});
  if (!run.reason().empty()) {
    facts.Add({"reason", run.reason()});
  }
  facts.Add({"dataset", ShortName(run.dataset_version())});
  facts.Add({"model", ShortName(published ? run.model_version() : run.model())});
  facts.Add({"network", NetworkLine(run.spec().network())});
  facts.Add({"epochs",
             fmt::format("{}/{}{}",
                         run.epochs_done(),
                         run.spec().epochs(),
                         run.best_epoch() > 0 ? fmt::format(", kept {}", run.best_epoch()) : "")});
  facts.Add({"seed", fmt::format("{}", run.spec().seed())});
  if (published) {
    facts.Add({"weights", "sha256:" + ShortDigest(run.weights_sha256(), style.wide)});
  }
  if (!run.failure().empty()) {
    facts.Add({"failure", run.failure()});
  }
  return facts.ToString(style) + EvaluationTable(run.evaluations(), style);
}

std::string EndedRunSummary(training::v1::Run run, TableStyle style) {
  run.clear_failure();
  run.clear_reason();
  return RunSummary(run, style);
}

}  // namespace millrace::cli
