#include "services/data/pipeline/pipeline.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "common/features/ranked_rows.h"
#include "common/statistics/summary.h"
#include "common/status/status.h"
#include "services/data/clean/clean.h"
#include "services/data/fit/fit.h"
#include "services/data/pipeline/options.h"
#include "services/data/profile/profile.h"
#include "services/data/split/split.h"

namespace millrace::data {

namespace {

bool IsClassified(schema::v1::Task task) {
  return task == schema::v1::TASK_BINARY || task == schema::v1::TASK_MULTICLASS;
}

void Begin(const ImportMeans& means, std::string_view step) {
  if (means.begins) {
    means.begins(step);
  }
}

// Measures and fits every column.
absl::Status LookAtColumns(const ImportMeans& means,
                           const std::stop_token& stop,
                           const std::string& file_name,
                           ImportResult& result) {
  const std::size_t count = result.rows->column_count();
  std::vector<statistics::ColumnSummary> summaries(count);
  std::vector<FittedColumn> fitted(count);
  const FitOptions options{.scaling = result.options.scaling(),
                           .task = result.schema.task(),
                           .positive_class = result.options.positive_class(),
                           .file_name = file_name};
  const std::vector<std::size_t> order = features::LongestFirst(result.schema);
  const auto look = [&](std::size_t place) -> absl::Status {
    const std::size_t c = order[place];
    features::ColumnReader reader(*result.rows, c, stop);
    const schema::v1::Column& column = result.schema.columns(static_cast<int>(c));
    ASSIGN_OR_RETURN(fitted[c], FitColumn(reader, column, result.marks, options));
    ASSIGN_OR_RETURN(summaries[c], statistics::Summarize(reader, result.marks));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(features::InParallel(means.threads, count, look));
  result.statistics = JoinStatistics(result.marks, std::move(summaries));
  for (v1::CleaningEffect& effect : ImputedCells(fitted)) {
    result.effects.push_back(std::move(effect));
  }
  ASSIGN_OR_RETURN(result.transforms, JoinTransforms(result.schema, std::move(fitted)));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ImportResult> RunPipeline(const v1::ImportHeader& header,
                                         const StagedFile& file,
                                         const ImportMeans& means,
                                         const std::stop_token& stop) {
  v1::ImportHeader complete = header;
  if (complete.file_name().empty()) {
    complete.set_file_name("file");
  }
  ASSIGN_OR_RETURN(*complete.mutable_options(), CompleteOptions(header.options()));
  Begin(means, "import");
  ASSIGN_OR_RETURN(ImportedFile imported, ImportFile(complete, file, means, stop));
  ImportResult result;
  result.options = std::move(imported.options);
  const SpilledRows& rows = *imported.rows;
  result.rows = std::move(imported.rows);

  Begin(means, "rank");
  const std::string& label = result.options.label();
  const features::RankOptions rank{.key = RankKey(result.options),
                                   .label = label.empty() ? -1 : rows.IndexOf(label),
                                   .threads = means.threads,
                                   .stop = stop};
  ASSIGN_OR_RETURN(const auto ranked, features::RankedRows::Rank(rows, rank, means.scratch));
  Begin(means, "clean");
  const RawRows raw{.rows = rows,
                    .ranked = ranked,
                    .line_of = [&rows](std::int64_t row) { return rows.LineOf(row); },
                    .file_name = complete.file_name(),
                    .threads = means.threads,
                    .categories_max = means.limits.categories_max,
                    .classes_max = means.limits.classes_max,
                    .stop = stop};
  ASSIGN_OR_RETURN(CleanedRows cleaned, Clean(raw, result.options));
  result.schema = std::move(cleaned.schema);
  result.marks = std::move(cleaned.marks);
  result.effects = std::move(cleaned.effects);
  for (std::string& name : cleaned.over_limit) {
    result.options.add_drop_columns(std::move(name));
  }
  Begin(means, "split");
  RETURN_IF_ERROR(
      AssignSplits(ranked, IsClassified(result.schema.task()), result.options, result.marks));

  Begin(means, "columns");
  RETURN_IF_ERROR(LookAtColumns(means, stop, complete.file_name(), result));
  if (result.transforms.task() == schema::v1::TASK_BINARY) {
    result.options.set_positive_class(*result.transforms.label().classes().rbegin());
  }
  return result;
}

}  // namespace millrace::data
