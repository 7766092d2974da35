#include "services/serving/pipeline/served_models.h"

#include <charconv>
#include <utility>

#include "common/model/bundle.h"
#include "common/resource/name.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace millrace::serving {

namespace {

constexpr std::string_view kCollection = "models/";
constexpr std::int32_t kPageDefault = 100;
constexpr std::int32_t kPageMax = 1'000;

absl::Status NoSuchModel(std::string_view id) {
  return WithFix(NotFound("there is no model '{}'", id.substr(0, 64)),
                 "`millrace model ls` shows those that there are");
}

absl::StatusOr<VersionedName> ParseVersion(std::string_view name) {
  ASSIGN_OR_RETURN(VersionedName parsed, ParseVersionedName("models", "name", name));
  if (parsed.version == 0) {
    return InvalidArgument("name must be a version, models/{}/versions/{{number}}", parsed.id);
  }
  return parsed;
}

// The id of a name that must be a model's alone.
absl::StatusOr<std::string> ParseModel(std::string_view field, std::string_view name) {
  ASSIGN_OR_RETURN(const VersionedName parsed, ParseVersionedName("models", field, name));
  if (parsed.version != 0) {
    return InvalidArgument("{} must be a model, models/{{model}}, found '{}'", field, name);
  }
  return parsed.id;
}

// A whole number in [1, the type's largest], or 0.
template <typename Number>
Number ParsePositive(std::string_view text) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end && number > 0 ? number : Number{0};
}

// A version's number as text; 0 for none.
absl::StatusOr<std::int32_t> ParseNumber(std::string_view version) {
  const auto number = ParsePositive<std::int32_t>(version);
  if (number == 0 && !version.empty()) {
    return InvalidArgument("the version must be a number from 1 up, found '{}'",
                           version.substr(0, 64));
  }
  return number;
}

// Where a page begins and how long it is.
struct Page {
  std::int64_t before = 0;  // 0: at the newest
  std::int32_t size = 0;
};

absl::StatusOr<Page> ParsePage(std::int32_t page_size, std::string_view page_token) {
  if (page_size < 0 || page_size > kPageMax) {
    return InvalidArgument("page_size must be in [0, {}], found {}", kPageMax, page_size);
  }
  const auto before = ParsePositive<std::int64_t>(page_token);
  if (before == 0 && !page_token.empty()) {
    return InvalidArgument("page_token is none that was given out: '{}'", page_token.substr(0, 64));
  }
  return Page{.before = before, .size = page_size == 0 ? kPageDefault : page_size};
}

v1::PredictResponse HeadOf(const VersionRecord& record, const model::v1::BundleManifest& manifest) {
  v1::PredictResponse head;
  *head.mutable_lineage() = manifest.lineage();
  head.mutable_lineage()->set_model_version(VersionName("models", record.model, record.number));
  head.mutable_lineage()->set_bundle_sha256(record.sha256);
  model::TellNumerics(manifest, *head.mutable_lineage());
  head.set_task(manifest.transforms().task());
  *head.mutable_classes() = manifest.transforms().label().classes();
  return head;
}

}  // namespace

ServedVersion::ServedVersion(const VersionRecord& record,
                             LoadedModel model,
                             std::shared_ptr<PredictionMetrics> metrics)
    : number_(record.number),
      model_(std::move(model)),
      predictor_(model_.manifest.schema(), model_.transformer, model_.plan, model_.loss),
      head_(HeadOf(record, model_.manifest)),
      metrics_(std::move(metrics), record.model, record.number) {}

absl::StatusOr<std::unique_ptr<ServedModels>> ServedModels::Open(
    Repository& repository,
    const std::shared_ptr<prometheus::Registry>& metrics) {
  std::unique_ptr<ServedModels> served(new ServedModels(repository, metrics));
  ASSIGN_OR_RETURN(const std::vector<VersionRecord> records, repository.Versions());
  ASSIGN_OR_RETURN(const auto routes, repository.Routes());
  std::map<std::string, Model> models;
  for (const VersionRecord& record : records) {
    models[record.model].versions.emplace(record.number, served->Load(record));
  }
  for (auto& [id, model] : models) {
    const auto shares = routes.find(id);
    RETURN_IF_ERROR(
        served->Publish(id,
                        std::move(model),
                        shares == routes.end() ? std::vector<v1::RouteShare>() : shares->second));
  }
  return served;
}

ServedModels::Slot ServedModels::Load(const VersionRecord& record) const {
  const std::string name = VersionName("models", record.model, record.number);
  const auto bytes = repository_.Read(record);
  auto model = bytes.ok() ? LoadModel(*bytes) : bytes.status();
  if (!model.ok()) {
    log::Error("model_not_ready",
               {{"model_version", name}, {"reason", std::string(Message(model.status()))}});
    return WithFix(Unavailable("{} is not ready: {}", name, Message(model.status())),
                   "upload the same bundle again, or route to another version");
  }
  return std::make_shared<const ServedVersion>(record, *std::move(model), metrics_);
}

std::shared_ptr<const ServedModels::Table> ServedModels::table() const {
  const std::lock_guard lock(table_mutex_);
  return table_;
}

void ServedModels::Swap(Table table) {
  auto next = std::make_shared<const Table>(std::move(table));
  const std::lock_guard lock(table_mutex_);
  table_.swap(next);
}

std::shared_ptr<const ServedModels::Model> ServedModels::ModelOf(std::string_view id) const {
  const auto now = table();
  const auto found = now->find(id);
  return found == now->end() ? nullptr : found->second;
}

// The one place where what serves changes: the model as it shall be, with its route.
absl::Status ServedModels::Publish(const std::string& id,
                                   Model model,
                                   std::vector<v1::RouteShare> shares) {
  std::vector<std::int32_t> numbers;
  for (const auto& [number, slot] : model.versions) {
    numbers.push_back(number);
  }
  ASSIGN_OR_RETURN(model.route, Route::Create(std::move(shares), numbers));
  Table next = *table();
  next[id] = std::make_shared<const Model>(std::move(model));
  Swap(std::move(next));
  return absl::OkStatus();
}

ServedModels::Slot ServedModels::Choose(const Model& model, std::int32_t number) {
  if (number == 0) {
    const Route& route = *model.route;
    const std::uint64_t ticket =
        route.IsSingle() ? 0 : model.tickets->fetch_add(1, std::memory_order_relaxed);
    return model.versions.at(route.Choose(ticket));
  }
  const auto found = model.versions.find(number);
  if (found == model.versions.end()) {
    return NotFound("the model has no version {}", number);
  }
  return found->second;
}

ServedModels::Slot ServedModels::Find(std::string_view name) const {
  if (name.substr(0, kCollection.size()) == kCollection) {
    // Nearly every request names a model that there is: no need to take the name apart.
    if (const auto model = ModelOf(name.substr(kCollection.size())); model != nullptr) {
      return Choose(*model, 0);
    }
  }
  ASSIGN_OR_RETURN(const VersionedName parsed, ParseVersionedName("models", "model", name));
  const auto model = ModelOf(parsed.id);
  return model == nullptr ? NoSuchModel(parsed.id) : Choose(*model, parsed.version);
}

ServedModels::Slot ServedModels::Find(std::string_view id, std::string_view version) const {
  const auto model = ModelOf(id);
  if (model == nullptr) {
    return NoSuchModel(id);
  }
  ASSIGN_OR_RETURN(const std::int32_t number, ParseNumber(version));
  return Choose(*model, number);
}

ServedModels::Slot ServedModels::Look(std::string_view id, std::string_view version) const {
  const auto model = ModelOf(id);
  if (model == nullptr) {
    return NoSuchModel(id);
  }
  ASSIGN_OR_RETURN(const std::int32_t number, ParseNumber(version));
  return Choose(*model, number == 0 ? model->route->preferred() : number);
}

absl::StatusOr<v1::ModelVersion> ServedModels::Add(const std::string& id,
                                                   std::string_view bytes,
                                                   const std::string& caller) {
  if (!IsValidId(id)) {
    return InvalidArgument("a model's id must match [a-z0-9][a-z0-9_-]{{0,62}}, found '{}'",
                           id.substr(0, 64));
  }
  ASSIGN_OR_RETURN(LoadedModel loaded, LoadModel(bytes));
  const std::lock_guard lock(changing_);
  ASSIGN_OR_RETURN(const VersionRecord record, repository_.Add(id, bytes, loaded.manifest, caller));
  const auto existing = ModelOf(id);
  Model next = existing == nullptr ? Model() : *existing;
  const auto slot = next.versions.find(record.number);
  if (slot == next.versions.end() || !slot->second.ok()) {
    next.versions.insert_or_assign(
        record.number, std::make_shared<const ServedVersion>(record, std::move(loaded), metrics_));
    RETURN_IF_ERROR(
        Publish(id,
                std::move(next),
                existing == nullptr ? std::vector<v1::RouteShare>() : existing->route->shares()));
    log::Info("model_version_serves",
              {{"model_version", VersionName("models", id, record.number)},
               {"bundle_sha256", record.sha256}});
  }
  return Get(VersionName("models", id, record.number));
}

absl::StatusOr<v1::ModelVersion> ServedModels::Get(std::string_view name) {
  ASSIGN_OR_RETURN(const VersionedName parsed, ParseVersionedName("models", "name", name));
  const auto model = ModelOf(parsed.id);
  if (model == nullptr) {
    return NoSuchModel(parsed.id);
  }
  const std::int32_t number = parsed.version == 0 ? model->route->preferred() : parsed.version;
  ASSIGN_OR_RETURN(v1::ModelVersion version, repository_.Get(parsed.id, number));
  version.set_traffic_percent(model->route->PercentOf(number));
  return version;
}

absl::StatusOr<v1::ListModelsResponse> ServedModels::List(const v1::ListModelsRequest& request) {
  ASSIGN_OR_RETURN(const Page page, ParsePage(request.page_size(), request.page_token()));
  VersionedName only;
  if (!request.model().empty()) {
    ASSIGN_OR_RETURN(only, ParseVersionedName("models", "model", request.model()));
  }
  ASSIGN_OR_RETURN(auto listed, repository_.List(only.id, page.before, page.size + 1));
  v1::ListModelsResponse response;
  if (listed.size() > static_cast<std::size_t>(page.size)) {
    listed.pop_back();
    response.set_next_page_token(std::to_string(listed.back().key));
  }
  for (Repository::Listed& one : listed) {
    ASSIGN_OR_RETURN(const VersionedName name,
                     ParseVersionedName("models", "name", one.version.name()));
    const auto model = ModelOf(name.id);
    one.version.set_traffic_percent(model == nullptr ? 0 : model->route->PercentOf(name.version));
    *response.add_models() = std::move(one.version);
  }
  return response;
}

absl::StatusOr<v1::Route> ServedModels::SetRoute(const v1::Route& route,
                                                 const std::string& caller) {
  ASSIGN_OR_RETURN(const std::string id, ParseModel("route.model", route.model()));
  const std::lock_guard lock(changing_);
  const auto model = ModelOf(id);
  if (model == nullptr) {
    return NoSuchModel(id);
  }
  const std::vector<v1::RouteShare> shares(route.shares().begin(), route.shares().end());
  for (const v1::RouteShare& share : shares) {
    const auto slot = model->versions.find(share.version());
    if (slot != model->versions.end() && !slot->second.ok()) {
      return FailedPrecondition("{}", Message(slot->second.status()));
    }
  }
  std::vector<std::int32_t> numbers;
  for (const auto& [number, slot] : model->versions) {
    numbers.push_back(number);
  }
  RETURN_IF_ERROR(Route::Create(shares, numbers).status());
  RETURN_IF_ERROR(repository_.SetRoute(id, shares, caller));
  RETURN_IF_ERROR(Publish(id, *model, shares));
  return route;
}

absl::StatusOr<v1::Route> ServedModels::GetRoute(std::string_view model) const {
  ASSIGN_OR_RETURN(const std::string id, ParseModel("model", model));
  const auto found = ModelOf(id);
  if (found == nullptr) {
    return NoSuchModel(id);
  }
  v1::Route route;
  route.set_model(CollectionName("models", id));
  const std::vector<v1::RouteShare>& shares = found->route->shares();
  route.mutable_shares()->Assign(shares.begin(), shares.end());
  return route;
}

absl::StatusOr<v1::ListRouteChangesResponse> ServedModels::ListRouteChanges(
    const v1::ListRouteChangesRequest& request) {
  ASSIGN_OR_RETURN(const Page page, ParsePage(request.page_size(), request.page_token()));
  ASSIGN_OR_RETURN(const std::string id, ParseModel("model", request.model()));
  ASSIGN_OR_RETURN(auto changes, repository_.RouteChanges(id, page.before, page.size + 1));
  v1::ListRouteChangesResponse response;
  if (changes.size() > static_cast<std::size_t>(page.size)) {
    changes.pop_back();
    response.set_next_page_token(std::to_string(changes.back().sequence()));
  }
  for (v1::RouteChange& change : changes) {
    *response.add_changes() = std::move(change);
  }
  return response;
}

absl::Status ServedModels::Delete(std::string_view name, const std::string& caller) {
  ASSIGN_OR_RETURN(const VersionedName parsed, ParseVersion(name));
  const std::lock_guard lock(changing_);
  RETURN_IF_ERROR(repository_.Delete(parsed.id, parsed.version, caller));
  const auto model = ModelOf(parsed.id);
  if (model == nullptr || model->versions.size() == 1) {
    Table next = *table();
    next.erase(parsed.id);
    Swap(std::move(next));
    return absl::OkStatus();
  }
  Model next = *model;
  next.versions.erase(parsed.version);
  return Publish(parsed.id, std::move(next), model->route->shares());
}

std::vector<std::int32_t> ServedModels::VersionsOf(std::string_view id) const {
  std::vector<std::int32_t> numbers;
  if (const auto model = ModelOf(id); model != nullptr) {
    for (const auto& [number, slot] : model->versions) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

}  // namespace millrace::serving
