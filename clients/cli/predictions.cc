#include "clients/cli/predictions.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "millrace/serving/v1/serving_service.pb.h"

#include "clients/cli/connection.h"
#include "clients/cli/console.h"
#include "clients/cli/failure.h"
#include "clients/cli/figures.h"
#include "clients/cli/spelling.h"
#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using serving::v1::Prediction;
using serving::v1::PredictRequest;
using serving::v1::PredictResponse;

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string> Cells(std::int64_t row, const Prediction& prediction) {
  if (prediction.probabilities().empty()) {
    return {fmt::format("{}", row), Spell(prediction.value())};
  }
  const float best =
      *std::max_element(prediction.probabilities().begin(), prediction.probabilities().end());
  return {fmt::format("{}", row), prediction.label(), fmt::format("{:.4f}", best)};
}

// The place of the column in the request, or -1.
int PlaceOf(const PredictRequest& request, const std::string& column) {
  const auto found = std::find(request.columns().begin(), request.columns().end(), column);
  return column.empty() || found == request.columns().end()
             ? -1
             : static_cast<int>(found - request.columns().begin());
}

// `text` without `suffix`, with which it ends.
std::string Without(std::string text, std::string_view suffix) {
  CHECK(text.ends_with(suffix));
  text.erase(text.size() - suffix.size());
  return text;
}

}  // namespace

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

PredictionWriter::PredictionWriter(Shell& shell, std::string label)
    : shell_(shell),
      label_(std::move(label)) {}

// Everything before the first prediction. The predictions are a message's last field.
std::string PredictionWriter::Opening(const PredictResponse& response) const {
  PredictResponse head = response;
  head.clear_predictions();
  const std::string json = ToJson(head, /*one_line=*/true);
  return shell_.format == Format::kJson ? Without(json, "]}\n")
                                        : Without(ToYaml(json), " []\n") + "\n";
}

std::string PredictionWriter::Items(const PredictResponse& response) const {
  std::string items;
  for (const Prediction& prediction : response.predictions()) {
    const std::string json = Without(ToJson(prediction, /*one_line=*/true), "\n");
    items += shell_.format == Format::kJson
                 ? fmt::format("{}\n{}", rows_ == 0 && items.empty() ? "" : ",", json)
                 : ToYaml("[" + json + "]");
  }
  return items;
}

void PredictionWriter::AddRows(const PredictRequest& request, const PredictResponse& response) {
  const int place = PlaceOf(request, label_);
  if (rows_ == 0) {
    known_ = place >= 0;
    std::vector<std::string> headings{">ROW", "PREDICTED"};
    if (!response.classes().empty()) {
      headings.emplace_back(">PROBABILITY");
    }
    if (known_) {
      headings.emplace_back("ACTUAL");
    }
    table_ = Table(std::move(headings));
  }
  for (int i = 0; i < response.predictions_size(); ++i) {
    std::vector<std::string> cells = Cells(rows_ + i + 1, response.predictions(i));
    if (known_ && place >= 0) {
      cells.emplace_back(Trimmed(request.rows(i).values(place).text()));
      right_ += cells.back() == response.predictions(i).label() ? 1 : 0;
    }
    table_.Add(std::move(cells));
  }
}

void PredictionWriter::Take(const PredictRequest& request, const PredictResponse& response) {
  if (shell_.for_people()) {
    AddRows(request, response);
    shell_.console.Print(table_.TakeLines(shell_.style()));
  } else if (shell_.format != Format::kName) {
    shell_.console.Print((rows_ == 0 ? Opening(response) : "") + Items(response));
  }
  rows_ += response.predictions_size();
  has_classes_ = !response.classes().empty();
  lineage_ = response.lineage();
}

void PredictionWriter::Finish() {
  if (shell_.format == Format::kName) {
    shell_.console.Print(lineage_.model_version() + "\n");
  } else if (shell_.format == Format::kJson) {
    shell_.console.Print("\n]}\n");
  } else if (shell_.for_people()) {
    const std::string right =
        known_ && has_classes_
            ? fmt::format(
                  "as in column '{}': {} of {}; no score where the model was trained on such "
                  "rows ('millrace model show' has its figures)\n",
                  Printable(label_),
                  right_,
                  rows_)
            : "";
    const std::string page = right + "\n" + LineageTable(lineage_, shell_.page());
    if (shell_.piped()) {  // a program gets rows and nothing else
      shell_.console.Complain(page);
    } else {
      shell_.console.Print(page);
    }
  }
}

}  // namespace millrace::cli
