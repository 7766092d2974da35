#include "services/serving/load/signature_rule.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "common/status/status.h"

namespace millrace::serving {

namespace {

constexpr std::size_t kDifferencesMax = 3;
constexpr std::size_t kTextBytesMax = 64;

std::string_view KindOf(schema::v1::ColumnType type) {
  switch (type) {
    case schema::v1::COLUMN_TYPE_REAL:
    case schema::v1::COLUMN_TYPE_INTEGER:
      return "a number";
    case schema::v1::COLUMN_TYPE_BOOLEAN:
      return "a boolean";
    case schema::v1::COLUMN_TYPE_CATEGORY:
      return "a category";
    case schema::v1::COLUMN_TYPE_TIMESTAMP:
      return "a time";
    default:
      return "of another type";
  }
}

std::string_view TaskName(schema::v1::Task task) {
  switch (task) {
    case schema::v1::TASK_BINARY:
      return "two classes";
    case schema::v1::TASK_MULTICLASS:
      return "several classes";
    case schema::v1::TASK_REGRESSION:
      return "a number";
    default:
      return "nothing";
  }
}

std::string Quoted(std::string_view text) {
  return fmt::format("'{}'", text.substr(0, kTextBytesMax));
}

using Kinds = std::map<std::string_view, std::string_view>;

Kinds KindsOf(const v1::ModelSignature& signature) {
  Kinds kinds;
  for (const v1::ModelSignature::Feature& feature : signature.features()) {
    kinds.emplace(feature.name(), KindOf(feature.type()));
  }
  return kinds;
}

void CompareFeatures(const Kinds& oldest, const Kinds& next, std::vector<std::string>& found) {
  for (const auto& [name, kind] : oldest) {
    const auto same = next.find(name);
    if (same == next.end()) {
      found.push_back(fmt::format("the feature {} is missing", Quoted(name)));
    } else if (same->second != kind) {
      found.push_back(
          fmt::format("the feature {} is {} instead of {}", Quoted(name), same->second, kind));
    }
  }
  for (const auto& [name, kind] : next) {
    if (!oldest.contains(name)) {
      found.push_back(fmt::format("the feature {} is new", Quoted(name)));
    }
  }
}

void CompareLabels(const v1::ModelSignature& oldest,
                   const v1::ModelSignature& next,
                   std::vector<std::string>& found) {
  if (oldest.label() != next.label()) {
    found.push_back(
        fmt::format("the label is {} instead of {}", Quoted(next.label()), Quoted(oldest.label())));
  }
  if (oldest.task() != next.task()) {
    found.push_back(fmt::format(
        "it predicts {} instead of {}", TaskName(next.task()), TaskName(oldest.task())));
    return;
  }
  if (oldest.positive_class() != next.positive_class()) {
    found.push_back(fmt::format("the positive class is {} instead of {}",
                                Quoted(next.positive_class()),
                                Quoted(oldest.positive_class())));
  }
  const std::set<std::string_view> classes(next.classes().begin(), next.classes().end());
  for (const std::string& label : oldest.classes()) {
    if (!classes.contains(label)) {
      found.push_back(fmt::format("the class {} is missing", Quoted(label)));
    }
  }
}

}  // namespace

absl::Status CheckFits(const v1::ModelSignature& oldest, const v1::ModelSignature& next) {
  std::vector<std::string> found;
  CompareLabels(oldest, next, found);
  CompareFeatures(KindsOf(oldest), KindsOf(next), found);
  if (found.empty()) {
    return absl::OkStatus();
  }
  const std::size_t more = found.size() - std::min(found.size(), kDifferencesMax);
  found.resize(std::min(found.size(), kDifferencesMax));
  return WithFix(
      FailedPrecondition("callers of the model ask for something else: {}{}",
                         fmt::join(found, "; "),
                         more == 0 ? "" : fmt::format("; and {} differences more", more)),
      "give it another model's name, or delete the model's versions first: `millrace model rm`");
}

bool IsSameSignature(const v1::ModelSignature& a, const v1::ModelSignature& b) {
  const auto types_of = [](const v1::ModelSignature& signature) {
    std::multimap<std::string_view, schema::v1::ColumnType> types;
    for (const v1::ModelSignature::Feature& feature : signature.features()) {
      types.emplace(feature.name(), feature.type());
    }
    return types;
  };
  return a.label() == b.label() && a.task() == b.task() &&
         a.positive_class() == b.positive_class() &&
         std::equal(
             a.classes().begin(), a.classes().end(), b.classes().begin(), b.classes().end()) &&
         types_of(a) == types_of(b);
}

}  // namespace millrace::serving
