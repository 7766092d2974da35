#include "services/data/pipeline/pipeline.h"

#include <string>
#include <utility>

#include "common/statistics/summary.h"
#include "common/status/status.h"
#include "services/data/clean/clean.h"
#include "services/data/fit/fit.h"
#include "services/data/import/import.h"
#include "services/data/pipeline/options.h"
#include "services/data/profile/profile.h"
#include "services/data/split/split.h"

namespace millrace::data {

namespace {

absl::Status Continue(const std::stop_token& stop) {
  return stop.stop_requested() ? Cancelled("the import was stopped") : absl::OkStatus();
}

}  // namespace

absl::StatusOr<ImportResult> RunPipeline(const v1::ImportHeader& header,
                                         const StagedFile& file,
                                         const std::stop_token& stop) {
  v1::ImportHeader complete = header;
  if (complete.file_name().empty()) {
    complete.set_file_name("file");
  }
  ASSIGN_OR_RETURN(*complete.mutable_options(), CompleteOptions(header.options()));
  ASSIGN_OR_RETURN(ImportedFile imported, ImportFile(complete, file, stop));
  ImportResult result;
  result.options = std::move(imported.options);
  result.raw_statistics = Profile(imported.table);
  RETURN_IF_ERROR(Continue(stop));

  const std::string& file_name = complete.file_name();
  ASSIGN_OR_RETURN(CleanedTable cleaned,
                   Clean(std::move(imported.table), imported.lines, result.options, file_name));
  result.table = std::move(cleaned.table);
  result.effects = std::move(cleaned.effects);
  RETURN_IF_ERROR(Continue(stop));

  Splits splits = AssignSplits(result.table, result.options);
  result.train = std::move(splits.train);
  result.validation = std::move(splits.validation);
  result.test = std::move(splits.test);
  RETURN_IF_ERROR(Continue(stop));

  ASSIGN_OR_RETURN(result.transforms,
                   FitTransforms(result.table, result.train, result.options, file_name));
  for (v1::CleaningEffect& effect : ImputedCells(result.table, result.transforms)) {
    result.effects.push_back(std::move(effect));
  }
  if (result.transforms.task() == schema::v1::TASK_BINARY) {
    result.options.set_positive_class(*result.transforms.label().classes().rbegin());
  }
  result.train_statistics = statistics::Summarize(result.table, result.train);
  result.validation_statistics = statistics::Summarize(result.table, result.validation);
  result.test_statistics = statistics::Summarize(result.table, result.test);
  return result;
}

}  // namespace millrace::data
