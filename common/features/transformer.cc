#include "common/features/transformer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "common/config/config.h"
#include "common/features/transform_check.h"
#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::features {

namespace {

using schema::v1::FeatureTransform;
using schema::v1::LabelTransform;
using schema::v1::TransformSet;

// A feature, ready to apply.
struct Feature {
  CellParser parser;
  std::size_t first_input = 0;  // where its inputs begin in a row
  bool one_hot = false;
  double offset = 0;  // linear: (x - offset) * scale
  double scale = 0;
  float imputed = 0;              // linear: the encoded stand-in
  std::size_t imputed_input = 0;  // one-hot: the stand-in's input, counted from first_input
  std::size_t unknown_input = 0;  // one-hot: the last of its inputs
  std::unordered_map<std::string_view, std::size_t> input_of;  // one-hot: into the set's categories
};

// Rounds once, from double; false for a number that a float cannot hold. The one place where a
// number becomes an input, so that a table and a request give the same bits.
bool EncodeNumber(const Feature& feature, double number, float& x) {
  const double scaled = (number - feature.offset) * feature.scale;
  if (!(std::abs(scaled) <= static_cast<double>(std::numeric_limits<float>::max()))) {
    return false;
  }
  x = static_cast<float>(scaled);
  return true;
}

std::size_t InputOf(const Feature& feature, std::string_view category) {
  const auto found = feature.input_of.find(category);
  return found == feature.input_of.end() ? feature.unknown_input : found->second;
}

void SetOneHot(const Feature& feature, std::size_t input, float* x) {
  std::fill_n(x, feature.unknown_input + 1, 0.0F);
  x[input] = 1.0F;
}

absl::Status TooLarge(const Feature& feature, double number) {
  return InvalidArgument("feature '{}' is out of range once scaled, found {}",
                         Excerpt(feature.parser.column().name()),
                         number);
}

absl::StatusOr<Feature> MakeFeature(const FeatureTransform& transform,
                                    const MissingSpellings& missing,
                                    std::size_t first_input) {
  Feature feature{.parser = CellParser(transform.column(), missing),
                  .first_input = first_input,
                  .one_hot = transform.has_one_hot(),
                  .offset = transform.linear().offset(),
                  .scale = transform.linear().scale(),
                  .input_of = {}};
  if (!feature.one_hot) {
    if (!EncodeNumber(feature, transform.number(), feature.imputed)) {
      return TooLarge(feature, transform.number());
    }
    return feature;
  }
  for (const std::string& category : transform.one_hot().categories()) {
    feature.input_of.emplace(category, feature.input_of.size());
  }
  feature.unknown_input = feature.input_of.size();
  feature.imputed_input = InputOf(feature, transform.category());
  return feature;
}

// Encodes one parsed cell.
absl::Status EncodeCell(const Feature& feature, const Cell& cell, float* x) {
  if (feature.one_hot) {
    const bool missing = cell.kind == Cell::Kind::kMissing;
    SetOneHot(feature, missing ? feature.imputed_input : InputOf(feature, cell.text), x);
    return absl::OkStatus();
  }
  if (cell.kind == Cell::Kind::kMissing) {
    *x = feature.imputed;
    return absl::OkStatus();
  }
  return EncodeNumber(feature, cell.number, *x) ? absl::OkStatus() : TooLarge(feature, cell.number);
}

// Where a column of a table goes.
struct Target {
  float* x = nullptr;      // the feature's first input in the first row
  std::size_t stride = 0;  // from one row to the next
};

absl::Status EncodeNumbers(const Feature& feature,
                           const ColumnCells& cells,
                           std::span<const std::int64_t> rows,
                           Target target) {
  float* x = target.x;
  for (const std::int64_t row : rows) {
    const auto i = static_cast<std::size_t>(row);
    if (cells.valid[i] == 0) {
      *x = feature.imputed;
    } else if (!EncodeNumber(feature, cells.numbers[i], *x)) {
      return TooLarge(feature, cells.numbers[i]);
    }
    x += target.stride;
  }
  return absl::OkStatus();
}

void EncodeCategories(const Feature& feature,
                      const ColumnCells& cells,
                      std::span<const std::int64_t> rows,
                      Target target) {
  std::vector<std::size_t> input_of_code(cells.dictionary.size());
  for (std::size_t code = 0; code < input_of_code.size(); ++code) {
    input_of_code[code] = InputOf(feature, cells.dictionary[code]);
  }
  float* x = target.x;
  for (const std::int64_t row : rows) {
    const auto i = static_cast<std::size_t>(row);
    const std::size_t input = cells.valid[i] == 0
                                  ? feature.imputed_input
                                  : input_of_code[static_cast<std::size_t>(cells.codes[i])];
    SetOneHot(feature, input, x);
    x += target.stride;
  }
}

absl::Status EncodeColumn(const Feature& feature,
                          const ColumnCells& cells,
                          std::span<const std::int64_t> rows,
                          Target target) {
  if (!feature.one_hot) {
    return EncodeNumbers(feature, cells, rows, target);
  }
  EncodeCategories(feature, cells, rows, target);
  return absl::OkStatus();
}

// Where the table has each column that a transform names.
class ColumnFinder {
 public:
  explicit ColumnFinder(const Table& table) : table_(table) {
    for (int i = 0; i < table.schema.columns_size(); ++i) {
      index_of_.emplace(table.schema.columns(i).name(), i);
    }
  }

  [[nodiscard]] absl::StatusOr<std::size_t> Find(const schema::v1::Column& wanted) const {
    const auto found = index_of_.find(wanted.name());
    if (found == index_of_.end()) {
      return InvalidArgument("the table has no column '{}'", Excerpt(wanted.name()));
    }
    const schema::v1::ColumnType type = table_.schema.columns(found->second).type();
    if (type != wanted.type()) {
      return InvalidArgument("column '{}' must be {}, found {}",
                             Excerpt(wanted.name()),
                             schema::v1::ColumnType_Name(wanted.type()),
                             schema::v1::ColumnType_Name(type));
    }
    return static_cast<std::size_t>(found->second);
  }

 private:
  const Table& table_;
  std::unordered_map<std::string_view, int> index_of_;
};

absl::Status MissingLabel(const LabelTransform& label, std::int64_t row) {
  return InvalidArgument("label '{}' has no value in row {}", Excerpt(label.column().name()), row);
}

// Regression: the number itself.
absl::Status CopyTargets(const LabelTransform& label,
                         const ColumnCells& cells,
                         std::span<const std::int64_t> rows,
                         std::span<float> labels) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<std::size_t>(rows[i]);
    if (cells.valid[row] == 0) {
      return MissingLabel(label, rows[i]);
    }
    const double number = cells.numbers[row];
    if (std::abs(number) > static_cast<double>(std::numeric_limits<float>::max())) {
      return InvalidArgument(
          "label '{}' is out of a float's range, found {}", Excerpt(label.column().name()), number);
    }
    labels[i] = static_cast<float>(number);
  }
  return absl::OkStatus();
}

// Classification: the class's index.
absl::Status IndexClasses(const LabelTransform& label,
                          const ColumnCells& cells,
                          std::span<const std::int64_t> rows,
                          std::span<float> labels) {
  std::unordered_map<std::string, float> index_of;
  for (const std::string& name : label.classes()) {
    index_of.emplace(name, static_cast<float>(index_of.size()));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Cell cell = cells.At(rows[i]);
    if (cell.kind == Cell::Kind::kMissing) {
      return MissingLabel(label, rows[i]);
    }
    const std::string text = ClassName(label.column(), cell);
    const auto found = index_of.find(text);
    if (found == index_of.end()) {
      return InvalidArgument("label '{}' is none of its classes, found '{}'",
                             Excerpt(label.column().name()),
                             Excerpt(text));
    }
    labels[i] = found->second;
  }
  return absl::OkStatus();
}

}  // namespace

struct Transformer::State {
  TransformSet set;
  std::vector<Feature> features;
  std::unordered_map<std::string_view, std::int32_t> feature_of;  // by name, into `set`
};

absl::StatusOr<Transformer> Transformer::Create(TransformSet set) {
  RETURN_IF_ERROR(CheckTransforms(set));
  auto state = std::make_shared<State>();
  state->set = std::move(set);
  const MissingSpellings missing(std::vector<std::string>(state->set.missing_spellings().begin(),
                                                          state->set.missing_spellings().end()));
  std::size_t inputs = 0;
  for (const FeatureTransform& transform : state->set.features()) {
    ASSIGN_OR_RETURN(Feature feature, MakeFeature(transform, missing, inputs));
    inputs += feature.unknown_input + 1;
    state->feature_of.emplace(transform.column().name(),
                              static_cast<std::int32_t>(state->features.size()));
    state->features.push_back(std::move(feature));
  }
  Transformer transformer;
  transformer.state_ = std::move(state);
  return transformer;
}

const TransformSet& Transformer::set() const {
  return state_->set;
}

std::int64_t Transformer::input_count() const {
  return state_->set.input_count();
}

absl::Status Transformer::Encode(const Table& table,
                                 std::span<const std::int64_t> rows,
                                 std::span<float> x) const {
  const auto inputs = static_cast<std::size_t>(input_count());
  CHECK(x.size() == rows.size() * inputs);
  const ColumnFinder columns(table);
  for (const Feature& feature : state_->features) {
    ASSIGN_OR_RETURN(const std::size_t column, columns.Find(feature.parser.column()));
    const Target target{.x = x.data() + feature.first_input, .stride = inputs};
    RETURN_IF_ERROR(EncodeColumn(feature, table.columns[column], rows, target));
  }
  return absl::OkStatus();
}

absl::Status Transformer::EncodeLabels(const Table& table,
                                       std::span<const std::int64_t> rows,
                                       std::span<float> labels) const {
  CHECK(labels.size() == rows.size());
  if (!state_->set.has_label()) {
    return FailedPrecondition("the dataset has no label");
  }
  const LabelTransform& label = state_->set.label();
  ASSIGN_OR_RETURN(const std::size_t column, ColumnFinder(table).Find(label.column()));
  return label.classes().empty() ? CopyTargets(label, table.columns[column], rows, labels)
                                 : IndexClasses(label, table.columns[column], rows, labels);
}

absl::StatusOr<Transformer::Binding> Transformer::Bind(std::span<const std::string_view> names,
                                                       std::span<const std::string> ignored) const {
  constexpr std::int32_t kIgnored = -1;
  Binding binding;
  binding.feature_of_.reserve(names.size());
  std::unordered_set<std::string_view> seen;
  std::unordered_set<std::string_view> passed_over(ignored.begin(), ignored.end());
  for (const std::string_view name : names) {
    if (!seen.insert(name).second) {
      return InvalidArgument("column '{}' is named twice", Excerpt(name));
    }
    const auto found = state_->feature_of.find(name);
    if (found == state_->feature_of.end() && !passed_over.contains(name)) {
      return UnknownName(name);
    }
    binding.feature_of_.push_back(found == state_->feature_of.end() ? kIgnored : found->second);
  }
  for (std::size_t i = 0; i < state_->features.size(); ++i) {
    if (!seen.contains(state_->features[i].parser.column().name())) {
      binding.unnamed_.push_back(static_cast<std::int32_t>(i));
    }
  }
  return binding;
}

absl::Status Transformer::UnknownName(std::string_view name) const {
  std::vector<std::string> features;
  for (const FeatureTransform& feature : state_->set.features()) {
    features.push_back(feature.column().name());
  }
  const std::string closest = config::Closest(name, features);
  return WithFix(InvalidArgument("the model has no feature '{}'", Excerpt(name)),
                 closest.empty() ? fmt::format("name some of its {} features", features.size())
                                 : fmt::format("did you mean '{}'?", Excerpt(closest)));
}

absl::Status Transformer::Encode(const Binding& binding,
                                 const schema::v1::Row& row,
                                 std::span<float> x) const {
  CHECK(static_cast<std::int64_t>(x.size()) == input_count());
  if (static_cast<std::size_t>(row.values_size()) != binding.size()) {
    return InvalidArgument(
        "a row must have {} values, one a name, found {}", binding.size(), row.values_size());
  }
  std::string scratch;
  for (int i = 0; i < row.values_size(); ++i) {
    const std::int32_t index = binding.feature_of_[static_cast<std::size_t>(i)];
    if (index < 0) {
      continue;
    }
    const Feature& feature = state_->features[static_cast<std::size_t>(index)];
    const absl::StatusOr<Cell> cell = feature.parser.Parse(row.values(i), scratch);
    if (!cell.ok()) {
      return cell.status();
    }
    RETURN_IF_ERROR(EncodeCell(feature, *cell, x.data() + feature.first_input));
  }
  for (const std::int32_t index : binding.unnamed_) {
    const Feature& feature = state_->features[static_cast<std::size_t>(index)];
    RETURN_IF_ERROR(EncodeCell(feature, Cell{}, x.data() + feature.first_input));
  }
  return absl::OkStatus();
}

}  // namespace millrace::features
