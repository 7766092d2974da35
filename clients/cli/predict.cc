#include "clients/cli/predict.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/failure.h"
#include "clients/cli/predict_dataset.h"
#include "clients/cli/predictions.h"
#include "clients/cli/progress.h"
#include "clients/cli/reference.h"
#include "clients/cli/row_source.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using serving::v1::ModelVersion;
using serving::v1::PredictRequest;
using serving::v1::PredictResponse;

// The words of `predict`.
struct PredictWords {
  std::string model;
  std::vector<std::string> values;  // name=value
  std::string file;
  std::string form;  // csv or json; empty: by the file's name
  std::string delimiter = ",";
  DatasetWords dataset;
};

absl::Status Check(const PredictWords& words) {
  const int ways = (words.file.empty() ? 0 : 1) + (words.values.empty() ? 0 : 1) +
                   (words.dataset.dataset.empty() ? 0 : 1);
  if (ways != 1) {
    return UsageError("give either FEATURE=VALUE words or --in FILE or --dataset DATASET",
                      fmt::format("'millrace model show {}' lists the features", words.model));
  }
  if (words.dataset.dataset.empty() != words.dataset.into.empty()) {
    return UsageError("--dataset and --into go together",
                      "--into names the dataset that takes the answers");
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

// The row of the words.
PredictRequest OneRow(const ModelVersion& version, const std::vector<std::string>& words) {
  PredictRequest request;
  schema::v1::Row& row = *request.add_rows();
  for (const std::string& word : words) {
    const std::size_t end = NameEnd(version, word);
    request.add_columns(word.substr(0, end));
    row.add_values()->set_text(word.substr(end + 1));
  }
  return request;
}

constexpr std::string_view kRow = "rows[";

// `rows[3]: ...` of a request that begins behind row `done` as `row N: ...`, counted from 1 over
// all batches; what names no row stays as it is.
absl::Status AtRow(const absl::Status& status, std::int64_t done) {
  const std::string_view message = Message(status);
  const std::size_t close = message.find(']');
  std::int64_t place = 0;
  const char* const begin = message.data() + kRow.size();
  if (!message.starts_with(kRow) || close == std::string_view::npos ||
      std::from_chars(begin, message.data() + close, place).ec != std::errc()) {
    return status;
  }
  return Reworded(status, fmt::format("row {}{}", done + place + 1, message.substr(close + 1)));
}

// Asks for the rows of `source` batch by batch. `version` is asked by its number, so that a new
// version that is published meanwhile does not answer half of the rows.
absl::Status PredictAll(Shell& shell, const ModelVersion& version, RowSource& source) {
  const schema::v1::LabelTransform& label = version.manifest().transforms().label();
  const BatchLimits limits = LimitsFor(label.classes_size());
  PredictionWriter writer(shell, label.column().name());
  std::optional<Progress> progress;
  PredictRequest request;
  request.set_model(version.name());
  std::int64_t done = 0;
  for (;;) {
    RETURN_IF_ERROR(source.Next(limits, request));
    if (request.rows().empty()) {
      break;
    }
    const absl::StatusOr<PredictResponse> response = PredictBatch(shell, request);
    if (!response.ok()) {
      const absl::Status status = AtRow(response.status(), done);
      return status != response.status()
                 ? status
                 : Annotate(status,
                            fmt::format("rows {} to {}", done + 1, done + request.rows_size()));
    }
    writer.Take(request, *response);
    done += request.rows_size();
    if (!progress && source.read_bytes() < source.size_bytes()) {
      progress.emplace(shell.console, "predicting", source.size_bytes());
    }
    if (progress) {
      progress->Update(source.read_bytes(), fmt::format("{} rows", done));
    }
  }
  writer.Finish();
  return absl::OkStatus();
}

absl::StatusOr<ModelVersion> GetModel(const std::string& model, Shell& shell) {
  serving::v1::GetModelRequest request;
  request.set_name(FullName("models", model));
  return shell.connection.Call(shell.connection.Serving(), &ServingStub::GetModel, request);
}

absl::Status PredictWordsRow(const PredictWords& words, Shell& shell) {
  ASSIGN_OR_RETURN(const ModelVersion version, GetModel(words.model, shell));
  PredictRequest request = OneRow(version, words.values);
  request.set_model(version.name());
  const absl::StatusOr<PredictResponse> response = PredictBatch(shell, request);
  if (!response.ok()) {
    return AtRow(response.status(), 0);
  }
  PredictionWriter writer(shell, version.manifest().transforms().label().column().name());
  writer.Take(request, *response);
  writer.Finish();
  return absl::OkStatus();
}

absl::Status Predict(const PredictWords& words, Shell& shell) {
  RETURN_IF_ERROR(Check(words));
  if (!words.values.empty()) {
    return PredictWordsRow(words, shell);
  }
  if (!words.file.empty()) {
    const RowForm form = words.form.empty()     ? FormOf(words.file)
                         : words.form == "json" ? RowForm::kJson
                                                : RowForm::kCsv;
    ASSIGN_OR_RETURN(
        const std::unique_ptr<RowSource> source,
        OpenRows(words.file, {.form = form, .delimiter = words.delimiter[0]}, std::cin));
    ASSIGN_OR_RETURN(const ModelVersion version, GetModel(words.model, shell));
    return PredictAll(shell, version, *source);
  }
  ASSIGN_OR_RETURN(const ModelVersion version, GetModel(words.model, shell));
  return PredictDataset(words.dataset, version, shell);
}

}  // namespace

void AddPredict(CLI::App& app, Action& chosen) {
  const auto words = std::make_shared<PredictWords>();
  CLI::App* const verb = app.add_subcommand("predict", "ask a model about raw rows");
  verb->add_option("MODEL", words->model, "NAME or NAME@VERSION")->required();
  // Debian 13's CLI11 takes no '=' in a name.
  verb->add_option("CELLS", words->values, "one row; features not named count as missing")
      ->option_text("FEATURE=VALUE ...");
  verb->add_option(
      "--in", words->file, "rows of a CSV or JSON file, sent as they are; - for stdin");
  verb->add_option("--in-format",
                   words->form,
                   "csv (with a header) or json (objects); by the file's name when not given")
      ->check(CLI::IsMember({"csv", "json"}));
  verb->add_option("--delimiter", words->delimiter, "of a CSV file; a comma when not given");
  AddDatasetFlags(*verb, words->dataset);
  verb->callback(
      [words, &chosen] { chosen = [words](Shell& shell) { return Predict(*words, shell); }; });
}

}  // namespace millrace::cli
