#include "clients/cli/figures.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <google/protobuf/descriptor.h>

#include "millrace/model/v1/bundle.pb.h"
#include "millrace/model/v1/evaluation.pb.h"
#include "millrace/model/v1/network.pb.h"

#include "clients/cli/reference.h"
#include "clients/cli/spelling.h"
#include "clients/cli/table.h"

namespace millrace::cli {

namespace {

using model::v1::Evaluation;
using Evaluations = google::protobuf::RepeatedPtrField<Evaluation>;

struct Figure {
  std::string_view field;
  std::string_view heading;
};

// In the order in which they are shown.
constexpr std::array<Figure, 8> kFigures{{{"accuracy", ">ACCURACY"},
                                          {"precision", ">PRECISION"},
                                          {"recall", ">RECALL"},
                                          {"f1", ">F1"},
                                          {"roc_auc", ">ROC-AUC"},
                                          {"mean_absolute_error", ">MAE"},
                                          {"root_mean_squared_error", ">RMSE"},
                                          {"r_squared", ">R2"}}};

const google::protobuf::FieldDescriptor& Field(const Figure& figure) {
  return *Evaluation::descriptor()->FindFieldByName(std::string(figure.field));
}

bool Has(const Evaluation& evaluation, const Figure& figure) {
  return Evaluation::GetReflection()->HasField(evaluation, &Field(figure));
}

std::string Cell(const Evaluation& evaluation, const Figure& figure) {
  return Has(evaluation, figure)
             ? fmt::format("{:.4f}",
                           Evaluation::GetReflection()->GetDouble(evaluation, &Field(figure)))
             : std::string();
}

bool AnyHas(const Evaluations& evaluations, const Figure& figure) {
  return std::any_of(evaluations.begin(),
                     evaluations.end(),
                     [&figure](const Evaluation& evaluation) { return Has(evaluation, figure); });
}

std::string LayerWords(const model::v1::Layer& layer) {
  switch (layer.kind_case()) {
    case model::v1::Layer::kDense: {
      const model::v1::Dense& dense = layer.dense();
      return dense.activation() == model::v1::ACTIVATION_UNSPECIFIED
                 ? fmt::format("{}", dense.units())
                 : fmt::format("{} {}", dense.units(), Spell(dense.activation()));
    }
    case model::v1::Layer::kDropout:
      return fmt::format("dropout {}", layer.dropout().rate());
    case model::v1::Layer::kActivation:
      return Spell(layer.activation());
    case model::v1::Layer::KIND_NOT_SET:
      break;
  }
  return "nothing";
}

}  // namespace

std::string EvaluationTable(const Evaluations& evaluations) {
  std::vector<Figure> shown;
  std::vector<std::string> headings{"SPLIT", ">EXAMPLES", ">LOSS"};
  for (const Figure& figure : kFigures) {
    if (AnyHas(evaluations, figure)) {
      shown.push_back(figure);
      headings.emplace_back(figure.heading);
    }
  }
  Table table(std::move(headings));
  for (const Evaluation& evaluation : evaluations) {
    std::vector<std::string> row{Spell(evaluation.split()),
                                 fmt::format("{}", evaluation.example_count()),
                                 fmt::format("{:.4f}", evaluation.loss())};
    for (const Figure& figure : shown) {
      row.push_back(Cell(evaluation, figure));
    }
    table.Add(std::move(row));
  }
  return table.empty() ? std::string() : table.ToString();
}

std::string ConfusionTable(const Evaluation& evaluation, const std::vector<std::string>& classes) {
  const auto size = static_cast<int>(classes.size());
  if (size == 0 || evaluation.confusion_size() != size * size) {
    return {};
  }
  std::vector<std::string> headings{"TRUE \\ PREDICTED"};
  for (const std::string& name : classes) {
    headings.push_back(">" + name);
  }
  Table table(std::move(headings));
  for (int row = 0; row < size; ++row) {
    std::vector<std::string> cells{classes[static_cast<std::size_t>(row)]};
    for (int column = 0; column < size; ++column) {
      cells.push_back(fmt::format("{}", evaluation.confusion(row * size + column)));
    }
    table.Add(std::move(cells));
  }
  return table.ToString();
}

std::string LineageTable(const model::v1::Lineage& lineage) {
  Table table;
  if (!lineage.model_version().empty()) {
    table.Add({"model", ShortName(lineage.model_version()), "sha256:" + lineage.bundle_sha256()});
  }
  table.Add({"run", ShortName(lineage.run()), "weights sha256:" + lineage.weights_sha256()});
  table.Add(
      {"dataset", ShortName(lineage.dataset_version()), "sha256:" + lineage.dataset_sha256()});
  for (const model::v1::Source& source : lineage.sources()) {
    table.Add({"file", source.name(), "sha256:" + source.sha256()});
  }
  table.Add({"built by", lineage.build(), lineage.kernel_level()});
  if (lineage.numerics() != lineage.served_numerics()) {
    table.Add({"numbers",
               fmt::format("trained under contract {}", lineage.numerics()),
               fmt::format("served under contract {}", lineage.served_numerics())});
  }
  return table.ToString();
}

std::string NetworkLine(const model::v1::NetworkSpec& network) {
  std::vector<std::string> layers;
  for (const model::v1::Layer& layer : network.layers()) {
    layers.push_back(LayerWords(layer));
  }
  return fmt::format("{}", fmt::join(layers, ", "));
}

}  // namespace millrace::cli
