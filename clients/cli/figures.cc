#include "clients/cli/figures.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
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

// A line a class: how many there are, how many were told right, and what the others were taken for,
// the most frequent first.
std::string ClassTable(const Evaluation& evaluation,
                       const std::vector<std::string>& classes,
                       TableStyle style) {
  constexpr std::size_t kShown = 3;
  const auto size = static_cast<int>(classes.size());
  Table table({"TRUE CLASS", ">EXAMPLES", ">RIGHT", "TAKEN FOR"});
  for (int row = 0; row < size; ++row) {
    std::int64_t all = 0;
    std::vector<std::pair<std::int64_t, int>> wrong;  // negative, so that the most come first
    for (int column = 0; column < size; ++column) {
      const std::int64_t count = evaluation.confusion(row * size + column);
      all += count;
      if (column != row && count > 0) {
        wrong.emplace_back(-count, column);
      }
    }
    std::sort(wrong.begin(), wrong.end());
    std::vector<std::string> words;
    for (std::size_t i = 0; i < std::min(kShown, wrong.size()); ++i) {
      words.push_back(fmt::format(
          "{} {}", classes[static_cast<std::size_t>(wrong[i].second)], -wrong[i].first));
    }
    if (wrong.size() > kShown) {
      words.emplace_back("...");
    }
    table.Add({classes[static_cast<std::size_t>(row)],
               fmt::format("{}", all),
               fmt::format("{}", evaluation.confusion(row * size + row)),
               fmt::format("{}", fmt::join(words, ", "))});
  }
  return table.ToString(style);
}

}  // namespace

std::string EvaluationTable(const Evaluations& evaluations, TableStyle style) {
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
  return table.empty() ? std::string() : table.ToString(style);
}

std::string FigureOf(const Evaluations& evaluations, schema::v1::Split split) {
  for (const Evaluation& evaluation : evaluations) {
    if (evaluation.split() == split) {
      return evaluation.has_accuracy() ? fmt::format("accuracy {:.4f}", evaluation.accuracy())
             : evaluation.has_root_mean_squared_error()
                 ? fmt::format("RMSE {}", Spell(evaluation.root_mean_squared_error()))
                 : fmt::format("loss {}", Spell(evaluation.loss()));
    }
  }
  return {};
}

std::string ConfusionTable(const Evaluation& evaluation,
                           const std::vector<std::string>& classes,
                           TableStyle style) {
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
  const std::string text = table.ToString(style);
  const bool fits = style.columns == 0 || Width(text.substr(0, text.find('\n'))) <= style.columns;
  return fits ? text : ClassTable(evaluation, classes, style);
}

std::string LineageTable(const model::v1::Lineage& lineage, TableStyle style) {
  const auto digest = [&](const std::string& sha256) {
    return "sha256:" + ShortDigest(sha256, style.wide);
  };
  Table table;
  if (!lineage.model_version().empty()) {
    table.Add({"model", ShortName(lineage.model_version()), digest(lineage.bundle_sha256())});
  }
  table.Add({"run", ShortName(lineage.run()), "weights " + digest(lineage.weights_sha256())});
  table.Add({"dataset", ShortName(lineage.dataset_version()), digest(lineage.dataset_sha256())});
  for (const model::v1::Source& source : lineage.sources()) {
    table.Add({"file", source.name(), digest(source.sha256())});
  }
  table.Add({"built by", lineage.build(), lineage.kernel_level()});
  if (lineage.numerics() != lineage.served_numerics()) {
    table.Add({"numbers",
               fmt::format("trained under contract {}", lineage.numerics()),
               fmt::format("served under contract {}", lineage.served_numerics())});
  }
  return table.ToString(style);
}

std::string NetworkLine(const model::v1::NetworkSpec& network) {
  std::vector<std::string> layers;
  for (const model::v1::Layer& layer : network.layers()) {
    layers.push_back(LayerWords(layer));
  }
  return fmt::format("{}", fmt::join(layers, ", "));
}

}  // namespace millrace::cli
