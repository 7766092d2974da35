#include "services/serving/pipeline/served_models.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/model/bundle.h"
#include "common/model/signature.h"
#include "common/resource/name.h"
#include "common/resource/page.h"
#include "common/status/status.h"
#include "common/storage/sha256.h"
#include "common/telemetry/log.h"
#include "services/serving/load/signature_rule.h"

namespace millrace::serving {

namespace {

constexpr std::string_view kCollection = "models/";
constexpr std::int32_t kPageDefault = 100;
constexpr std::int32_t kPageMax = 1'000;

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

// What a header says of a bundle is what the bundle says.
absl::Status CheckSays(const v1::UploadHeader& header, const v1::ModelSignature& of_bundle) {
  return !header.has_signature() || IsSameSignature(header.signature(), of_bundle)
             ? absl::OkStatus()
             : InvalidArgument("header.signature is not that of the bundle");
}

}  // namespace

ServedVersion::ServedVersion(const VersionRecord& record,
                             LoadedModel model,
                             std::shared_ptr<PredictionMetrics> metrics,
                             std::int64_t buffer_bytes_max)
    : number_(record.number),
      model_(std::move(model)),
      predictor_(model_.manifest.schema(),
                 model_.transformer,
                 model_.plan,
                 model_.loss,
                 buffer_bytes_max),
      head_(HeadOf(record, model_.manifest)),
      metrics_(std::move(metrics), record.model, record.number),
      bytes_(record.size_bytes) {}

ServedModels::ServedModels(Repository& repository, ServedOptions options)
    : repository_(repository),
      options_(std::move(options)),
      metrics_(std::make_shared<PredictionMetrics>(options_.metrics)),
      loaded_bytes_(prometheus::BuildGauge()
                        .Name("millrace_models_loaded_bytes")
                        .Help("Memory of the model versions that are loaded.")
                        .Register(*options_.metrics)
                        .Add({})) {}

absl::Status ServedModels::NoSuchModel(std::string_view id) {
  return WithFix(NotFound("there is no model '{}'", id.substr(0, 64)),
                 "`millrace model ls` shows those that there are");
}

absl::StatusOr<std::unique_ptr<ServedModels>> ServedModels::Open(Repository& repository,
                                                                 ServedOptions options) {
  std::unique_ptr<ServedModels> served(new ServedModels(repository, std::move(options)));
  ASSIGN_OR_RETURN(const std::vector<VersionRecord> records, repository.Versions());
  ASSIGN_OR_RETURN(auto routes, repository.Routes());
  std::map<std::string, Model> models;
  for (const VersionRecord& record : records) {
    models[record.model].versions.emplace(record.number, Version{.record = record});
  }
  const std::lock_guard lock(served->changing_);
  for (auto& [id, model] : models) {
    RETURN_IF_ERROR(served->Publish(id, std::move(model), std::move(routes[id])));
  }
  const auto cold = served->table();
  for (const auto& [id, model] : *cold) {
    for (const auto& [number, version] : model->versions) {
      if (model->route->PercentOf(number) > 0) {
        served->LoadCold(id, number).IgnoreError();
      }
    }
  }
  return served;
}

std::shared_ptr<const ServedModels::Table> ServedModels::table() const {
  const std::lock_guard lock(table_mutex_);
  return table_;
}

void ServedModels::Swap(Table table) {
  std::int64_t bytes = 0;
  for (const auto& [id, model] : table) {
    for (const auto& [number, version] : model->versions) {
      bytes += version.slot.ok() && *version.slot != nullptr ? (*version.slot)->bytes() : 0;
    }
  }
  auto next = std::make_shared<const Table>(std::move(table));
  {
    const std::lock_guard lock(table_mutex_);
    table_.swap(next);
  }
  loaded_bytes_.Set(static_cast<double>(bytes));
  // Calls may hold what was replaced for a while, and the one that replaced it does.
  static_cast<void>(quiet_.Begin());
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
  for (const auto& [number, version] : model.versions) {
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
    return model.versions.at(route.Choose(ticket)).slot;
  }
  const auto found = model.versions.find(number);
  if (found == model.versions.end()) {
    return NotFound("the model has no version {}", number);
  }
  return found->second.slot;
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

ServedModels::Slot ServedModels::Load(std::string_view name) {
  ASSIGN_OR_RETURN(const VersionedName parsed, ParseVersionedName("models", "model", name));
  return Load(parsed.id, parsed.version == 0 ? "" : std::to_string(parsed.version));
}

ServedModels::Slot ServedModels::Load(std::string_view id, std::string_view version) {
  ASSIGN_OR_RETURN(std::int32_t number, ParseNumber(version));
  const std::lock_guard lock(changing_);
  if (const auto model = ModelOf(id); number == 0 && model != nullptr) {
    number = ColdShare(*model);
  }
  return LoadCold(std::string(id), number);
}

absl::Status ServedModels::CheckSignature(const std::string& id, const v1::ModelSignature& next) {
  const auto model = ModelOf(id);
  if (model == nullptr) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const v1::ModelVersion oldest,
                   repository_.Get(id, model->versions.begin()->first));
  return CheckFits(model::SignatureOf(oldest.manifest().transforms()), next);
}

absl::Status ServedModels::Check(const v1::UploadHeader& header) {
  ASSIGN_OR_RETURN(const std::string id, ParseModel("header.model", header.model()));
  const std::lock_guard lock(changing_);
  if (header.has_signature()) {
    RETURN_IF_ERROR(CheckSignature(id, header.signature()));
  }
  // Its size alone tells that it may be one that is there already, which needs no more room.
  const auto model = ModelOf(id);
  if (model != nullptr &&
      std::any_of(model->versions.begin(), model->versions.end(), [&header](const auto& version) {
        return version.second.record.size_bytes == header.size_bytes();
      })) {
    return absl::OkStatus();
  }
  return CheckRoom(LoadedNow(), header.size_bytes(), "a bundle for " + header.model());
}

// The version of a model that a bundle is already, and answers or can; 0: none.
std::int32_t ServedModels::SameAs(const std::string& id, std::string_view bytes) const {
  const auto model = ModelOf(id);
  if (model == nullptr) {
    return 0;
  }
  std::string sha256;
  for (const auto& [number, version] : model->versions) {
    if (version.slot.ok() && version.record.size_bytes == std::ssize(bytes)) {
      sha256 = sha256.empty() ? storage::ToHex(storage::Sha256Of(bytes)) : sha256;
      if (version.record.sha256 == sha256) {
        return number;
      }
    }
  }
  return 0;
}

// The bundle is this version already: nothing changes, but its bytes on the disk are made whole.
absl::StatusOr<v1::ModelVersion> ServedModels::AddAgain(const v1::UploadHeader& header,
                                                        std::string_view bytes,
                                                        const std::string& id,
                                                        std::int32_t number) {
  ASSIGN_OR_RETURN(const v1::ModelVersion stored, repository_.Get(id, number));
  RETURN_IF_ERROR(CheckSays(header, model::SignatureOf(stored.manifest().transforms())));
  RETURN_IF_ERROR(repository_.Add(id, bytes, stored.manifest(), {}).status());
  return Get(stored.name());
}

absl::StatusOr<v1::ModelVersion> ServedModels::Add(const v1::UploadHeader& header,
                                                   std::string_view bytes,
                                                   const std::string& caller) {
  ASSIGN_OR_RETURN(const std::string id, ParseModel("header.model", header.model()));
  const std::lock_guard lock(changing_);  // one bundle at a time, which takes memory thrice
  if (const std::int32_t same = SameAs(id, bytes); same != 0) {
    return AddAgain(header, bytes, id, same);
  }
  RETURN_IF_ERROR(
      MakeRoom(static_cast<std::int64_t>(bytes.size()), "a bundle for " + header.model()));
  ASSIGN_OR_RETURN(LoadedModel loaded, LoadModel(bytes));
  const v1::ModelSignature signature = model::SignatureOf(loaded.manifest.transforms());
  RETURN_IF_ERROR(CheckSays(header, signature));
  RETURN_IF_ERROR(CheckSignature(id, signature));
  ASSIGN_OR_RETURN(const VersionRecord record,
                   repository_.Add(id,
                                   bytes,
                                   loaded.manifest,
                                   {.caller = caller,
                                    .traffic = header.no_traffic() ? TrafficOfNewVersions::kNone
                                                                   : options_.traffic}));
  const auto existing = ModelOf(id);
  Model next = existing == nullptr ? Model() : *existing;
  const auto version = next.versions.find(record.number);
  if (version == next.versions.end() || !version->second.slot.ok() ||
      *version->second.slot == nullptr) {
    ASSIGN_OR_RETURN(std::vector<v1::RouteShare> shares, repository_.Shares(id));
    next.versions.insert_or_assign(
        record.number,
        Version{.record = record,
                .slot = std::make_shared<const ServedVersion>(
                    record, std::move(loaded), metrics_, options_.buffer_bytes_max)});
    RETURN_IF_ERROR(Publish(id, std::move(next), std::move(shares)));
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
  // One more than asked for tells whether there is a next page.
  ASSIGN_OR_RETURN(auto listed, repository_.List(only.id, page.before, page.size + 1));
  v1::ListModelsResponse response;
  PageRoom room(page.size);
  std::int64_t last = 0;
  for (Repository::Listed& one : listed) {
    if (!room.Take(one.version.ByteSizeLong())) {
      response.set_next_page_token(std::to_string(last));
      break;
    }
    last = one.key;
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
  std::vector<std::int32_t> numbers;
  for (const auto& [number, version] : model->versions) {
    numbers.push_back(number);
  }
  ASSIGN_OR_RETURN(const Route next, Route::Create(shares, numbers));
  for (const std::int32_t number : numbers) {
    if (next.PercentOf(number) == 0) {
      continue;
    }
    if (const absl::Status loaded = LoadCold(id, number).status(); !loaded.ok()) {
      return WithFix(FailedPrecondition("{}", Message(loaded)), Fix(loaded));
    }
  }
  RETURN_IF_ERROR(repository_.SetRoute(id, shares, caller));
  RETURN_IF_ERROR(Publish(id, *ModelOf(id), shares));
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
  RETURN_IF_ERROR(Publish(parsed.id, std::move(next), model->route->shares()));
  LoadCold(parsed.id, ModelOf(parsed.id)->route->preferred()).IgnoreError();
  return absl::OkStatus();
}

std::vector<std::int32_t> ServedModels::VersionsOf(std::string_view id) const {
  std::vector<std::int32_t> numbers;
  if (const auto model = ModelOf(id); model != nullptr) {
    for (const auto& [number, version] : model->versions) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

}  // namespace millrace::serving
