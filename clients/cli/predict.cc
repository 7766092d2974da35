#include "clients/cli/predict.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/csv_rows.h"
#include "clients/cli/failure.h"
#include "clients/cli/figures.h"
#include "clients/cli/progress.h"
#include "clients/cli/reference.h"
#include "clients/cli/spelling.h"
#include "clients/cli/table.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using serving::v1::ModelVersion;
using serving::v1::Prediction;
using serving::v1::PredictRequest;
using serving::v1::PredictResponse;

constexpr std::size_t kBatchRowsMax = 1024;                   // of the 4,096 that a call may have
constexpr std::size_t kBatchBytesMax = std::size_t{1} << 20;  // of the 4 MiB of a message

// The words of `predict`.
struct PredictWords {
  std::string model;
  std::vector<std::string> values;  // name=value
  std::string file;
  std::string delimiter = ",";
};

absl::Status Check(const PredictWords& words) {
  if (words.file.empty() == words.values.empty()) {
    return UsageError("give either FEATURE=VALUE words or --in FILE",
                      fmt::format("'millrace model show {}' lists the features", words.model));
  }
  if (words.delimiter.size() != 1 ||
      std::string_view("\"\r\n").find(words.delimiter[0]) != std::string_view::npos) {
    return UsageError(
        fmt::format("--delimiter must be one character that is neither a quote nor a line's end, "
                    "found '{}'",
                    words.delimiter),
        "for example --delimiter ';', or for a tab --delimiter $'\\t'");
  }
  for (const std::string& word : words.values) {
    if (word.find('=', 1) == std::string::npos) {
      return UsageError(fmt::format("expected FEATURE=VALUE, found '{}'", word),
                        "for example age=61; quote names with blanks: 'mean radius=14.2'");
    }
  }
  return absl::OkStatus();
}

bool HasFeature(const ModelVersion& version, std::string_view name) {
  const auto& features = version.manifest().transforms().features();
  return std::any_of(features.begin(), features.end(), [name](const auto& feature) {
    return feature.column().name() == name;
  });
}

// Where the name in `word` ends: at the last `=` behind a feature of the model, for a name may have
// one too; at the first of all when there is none.
std::size_t NameEnd(const ModelVersion& version, const std::string& word) {
  for (std::size_t end = word.rfind('='); end != 0 && end != std::string::npos;
       end = word.rfind('=', end - 1)) {
    if (HasFeature(version, std::string_view(word).substr(0, end))) {
      return end;
    }
  }
  return word.find('=', 1);
}

CsvRows OneRow(const ModelVersion& version, const std::vector<std::string>& words) {
  CsvRows rows;
  rows.rows.emplace_back();
  for (const std::string& word : words) {
    const std::size_t end = NameEnd(version, word);
    rows.columns.push_back(word.substr(0, end));
    rows.rows.back().push_back(word.substr(end + 1));
  }
  return rows;
}

// Copies rows from `first` on into `request` until it or its answer, of one probability for each of
// `classes`, is full; returns the row after the last.
std::size_t FillBatch(const CsvRows& rows,
                      std::size_t first,
                      std::size_t classes,
                      PredictRequest& request) {
  std::size_t request_bytes = 0;
  std::size_t response_bytes = 0;
  std::size_t next = first;
  request.clear_rows();
  while (next < rows.rows.size() && next - first < kBatchRowsMax &&
         request_bytes < kBatchBytesMax && response_bytes < kBatchBytesMax) {
    schema::v1::Row& row = *request.add_rows();
    for (const std::string& cell : rows.rows[next]) {
      row.add_values()->set_text(cell);
    }
    request_bytes += row.ByteSizeLong();
    response_bytes += classes * sizeof(float);
    ++next;
  }
  return next;
}

// The answers for one batch, one a row.
absl::StatusOr<PredictResponse> PredictBatch(Shell& shell, const PredictRequest& request) {
  ASSIGN_OR_RETURN(
      PredictResponse response,
      shell.connection.Call(shell.connection.Serving(), &ServingStub::Predict, request));
  if (response.predictions_size() != request.rows_size()) {
    return Internal("the serving service must answer each of {} rows, found {} answers",
                    request.rows_size(),
                    response.predictions_size());
  }
  return response;
}

// All answers as one response. `version` is asked by its number, so that a new version that is
// published meanwhile does not answer half of the rows.
absl::StatusOr<PredictResponse> PredictAll(Shell& shell,
                                           const ModelVersion& version,
                                           const CsvRows& rows) {
  PredictRequest request;
  request.set_model(version.name());
  request.mutable_columns()->Assign(rows.columns.begin(), rows.columns.end());
  const auto classes =
      static_cast<std::size_t>(version.manifest().transforms().label().classes_size());
  PredictResponse all;
  Progress progress(shell.console, "predicting", static_cast<std::int64_t>(rows.rows.size()));
  for (std::size_t first = 0; first < rows.rows.size();) {
    const std::size_t next = FillBatch(rows, first, classes, request);
    absl::StatusOr<PredictResponse> part = PredictBatch(shell, request);
    if (!part.ok()) {
      return rows.rows.size() == 1
                 ? part.status()
                 : Annotate(part.status(), fmt::format("rows {} to {}", first + 1, next));
    }
    all.mutable_predictions()->MergeFrom(part->predictions());
    part->clear_predictions();
    part->mutable_predictions()->Swap(all.mutable_predictions());
    all = *std::move(part);
    if (rows.rows.size() > kBatchRowsMax) {
      progress.Update(static_cast<std::int64_t>(next), fmt::format("{} rows", next));
    }
    first = next;
  }
  return all;
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string> PredictionCells(int row, const Prediction& prediction) {
  if (prediction.probabilities().empty()) {
    return {fmt::format("{}", row), Spell(prediction.value()), ""};
  }
  const float best =
      *std::max_element(prediction.probabilities().begin(), prediction.probabilities().end());
  return {fmt::format("{}", row), prediction.label(), fmt::format("{:.4f}", best)};
}

// The answers, with the true label beside where the rows have it.
std::string PredictionTable(const PredictResponse& response,
                            const CsvRows& rows,
                            const std::string& label) {
  const auto found = std::find(rows.columns.begin(), rows.columns.end(), label);
  const bool known = !label.empty() && found != rows.columns.end();
  const auto column = static_cast<std::size_t>(found - rows.columns.begin());
  std::vector<std::string> headings{">ROW", "PREDICTED", ">PROBABILITY"};
  if (known) {
    headings.emplace_back("ACTUAL");
  }
  Table table(std::move(headings));
  int right = 0;
  for (int i = 0; i < response.predictions_size(); ++i) {
    std::vector<std::string> cells = PredictionCells(i + 1, response.predictions(i));
    if (known) {
      cells.emplace_back(Trimmed(rows.rows[static_cast<std::size_t>(i)][column]));
      right += cells.back() == response.predictions(i).label() ? 1 : 0;
    }
    table.Add(std::move(cells));
  }
  std::string text = table.ToString();
  if (known && !response.classes().empty()) {
    text += fmt::format("right: {} of {}\n", right, response.predictions_size());
  }
  return text;
}

absl::Status PredictRows(const PredictWords& words, Shell& shell) {
  RETURN_IF_ERROR(Check(words));
  CsvRows rows;
  if (!words.file.empty()) {
    ASSIGN_OR_RETURN(rows, ReadCsv(words.file, words.delimiter[0]));
  }
  serving::v1::GetModelRequest request;
  request.set_name(FullName("models", words.model));
  ASSIGN_OR_RETURN(
      const ModelVersion version,
      shell.connection.Call(shell.connection.Serving(), &ServingStub::GetModel, request));
  if (words.file.empty()) {
    rows = OneRow(version, words.values);
  }
  ASSIGN_OR_RETURN(const PredictResponse response, PredictAll(shell, version, rows));
  if (shell.json()) {
    shell.console.Print(ToJson(response));
    return absl::OkStatus();
  }
  const std::string& label = version.manifest().transforms().label().column().name();
  shell.console.Print(PredictionTable(response, rows, label) + "\n" +
                      LineageTable(response.lineage()));
  return absl::OkStatus();
}

}  // namespace

void AddPredict(CLI::App& app, Action& chosen) {
  const auto words = std::make_shared<PredictWords>();
  CLI::App* const verb = app.add_subcommand("predict", "ask a model about raw rows");
  verb->add_option("MODEL", words->model, "NAME or NAME@VERSION")->required();
  verb->add_option("FEATURE=VALUE", words->values, "one row; features not named count as missing");
  verb->add_option("--in", words->file, "rows of a CSV file with a header, sent as they are");
  verb->add_option("--delimiter", words->delimiter, "of that file; a comma when not given");
  verb->callback(
      [words, &chosen] { chosen = [words](Shell& shell) { return PredictRows(*words, shell); }; });
}

}  // namespace millrace::cli
