#include "clients/cli/resource_names.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include "clients/cli/connection.h"
#include "clients/cli/context_file.h"
#include "clients/cli/moment.h"
#include "clients/cli/reference.h"
#include "common/config/config.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

constexpr int kPage = 1000;

void Add(std::string name, std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    names.push_back(std::move(name));
  }
}

template <typename Items>
std::vector<std::string> NamesOf(const Items& items, bool versions) {
  std::vector<std::string> names;
  for (const auto& item : items) {
    const std::string name = ShortName(item.name());
    Add(name.substr(0, name.find('@')), names);
    if (versions) {
      Add(name, names);
    }
  }
  return names;
}

std::vector<std::string> ContextNames() {
  const context::v1::ContextList list = LoadContexts().value_or(context::v1::ContextList());
  std::vector<std::string> names = NamesOf(list.contexts(), /*versions=*/false);
  names.emplace_back(kLocalContext);
  return names;
}

}  // namespace

std::vector<std::string> ResourceNames(const absl::StatusOr<Endpoints>& endpoints,
                                       std::string_view collection,
                                       bool versions) {
  if (collection == "contexts") {
    return ContextNames();
  }
  const Moment moment;
  Connection connection(endpoints, moment.stop());
  if (collection == "datasets") {
    data::v1::ListDatasetsRequest request;
    request.set_page_size(kPage);
    const auto list = connection.Call(connection.Data(), &DataStub::ListDatasets, request);
    return list.ok() ? NamesOf(list->datasets(), versions) : std::vector<std::string>();
  }
  if (collection == "models") {
    serving::v1::ListModelsRequest request;
    request.set_page_size(kPage);
    const auto list = connection.Call(connection.Serving(), &ServingStub::ListModels, request);
    return list.ok() ? NamesOf(list->models(), versions) : std::vector<std::string>();
  }
  if (collection == "uploads") {
    transfer::v1::ListUploadsRequest request;
    request.set_page_size(kPage);
    auto list = connection.Call(connection.Data(), &DataStub::ListUploads, request)
                    .value_or(transfer::v1::ListUploadsResponse());
    list.MergeFrom(connection.Call(connection.Serving(), &ServingStub::ListUploads, request)
                       .value_or(transfer::v1::ListUploadsResponse()));
    return NamesOf(list.uploads(), versions);
  }
  training::v1::ListRunsRequest request;
  request.set_page_size(kPage);
  const auto list = connection.Call(connection.Training(), &TrainingStub::ListRuns, request);
  return list.ok() ? NamesOf(list->runs(), versions) : std::vector<std::string>();
}

absl::Status WithGuess(absl::Status status, const absl::StatusOr<Endpoints>& endpoints) {
  const std::string message(Message(status));
  if (!absl::IsNotFound(status) || message.starts_with("there is no file")) {
    return status;
  }
  for (const std::string_view collection : {"datasets", "models", "runs"}) {
    const std::string_view thing = collection.substr(0, collection.size() - 1);
    const std::string quoted = fmt::format("{} '", thing);
    const std::string path = fmt::format("{}/", collection);
    std::size_t begin = message.find(path);
    begin = begin == std::string::npos ? message.find(quoted) : begin;
    if (begin == std::string::npos) {
      continue;
    }
    begin += message.compare(begin, path.size(), path) == 0 ? path.size() : quoted.size();
    const std::size_t end = message.find_first_of("/' \",;:", begin);
    const std::string word = message.substr(begin, end - begin);
    const std::string closest =
        config::Closest(word, ResourceNames(endpoints, collection, /*versions=*/false));
    if (!closest.empty() && closest != word) {
      return WithFix(std::move(status), fmt::format("did you mean '{}'?", closest));
    }
  }
  return status;
}

}  // namespace millrace::cli
