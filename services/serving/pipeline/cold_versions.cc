// ServedModels, the part that loads and unloads versions.

#include <algorithm>
#include <utility>

#include "common/resource/name.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "services/serving/pipeline/served_models.h"

namespace millrace::serving {

ServedModels::Slot ServedModels::LoadFrom(const VersionRecord& record) const {
  const std::string name = VersionName("models", record.model, record.number);
  const auto bytes = repository_.Read(record);
  auto model = bytes.ok() ? LoadModel(*bytes) : bytes.status();
  if (!model.ok()) {
    log::Error("model_not_ready",
               {{"model_version", name}, {"reason", std::string(Message(model.status()))}});
    return WithFix(Unavailable("{} is not ready: {}", name, Message(model.status())),
                   "upload the same bundle again, or route to another version");
  }
  return std::make_shared<const ServedVersion>(
      record, *std::move(model), metrics_, options_.buffer_bytes_max);
}

// What was found to be damaged stays so until the same bundle comes again; what had no room is
// tried again.
ServedModels::Slot ServedModels::LoadCold(const std::string& id, std::int32_t number) {
  VersionRecord record;
  {
    const auto model = ModelOf(id);  // not while it loads: it would keep what is unloaded for it
    if (model == nullptr) {
      return NoSuchModel(id);
    }
    const auto found = model->versions.find(number);
    if (found == model->versions.end()) {
      return NotFound("the model has no version {}", number);
    }
    const Version& version = found->second;
    if (!version.slot.ok() || *version.slot != nullptr) {
      return version.slot;
    }
    record = version.record;
  }
  RETURN_IF_ERROR(MakeRoom(record.size_bytes, VersionName("models", id, number)));
  Slot slot = LoadFrom(record);
  Model next = *ModelOf(id);
  next.versions.at(number).slot = slot;
  std::vector<v1::RouteShare> shares = next.route->shares();
  RETURN_IF_ERROR(Publish(id, std::move(next), std::move(shares)));
  return slot;
}

// A version with traffic that is cold, since Find() chose one; the preferred one if it is.
std::int32_t ServedModels::ColdShare(const Model& model) {
  const auto is_cold = [&model](std::int32_t number) {
    const Slot& slot = model.versions.at(number).slot;
    return slot.ok() && *slot == nullptr;
  };
  const std::int32_t preferred = model.route->preferred();
  if (!is_cold(preferred)) {
    for (const v1::RouteShare& share : model.route->shares()) {
      if (is_cold(share.version())) {
        return share.version();
      }
    }
  }
  return preferred;
}

ServedModels::Loaded ServedModels::LoadedNow() const {
  Loaded loaded;
  const auto now = table();
  for (const auto& [id, model] : *now) {
    for (const auto& [number, version] : model->versions) {
      if (!version.slot.ok() || *version.slot == nullptr) {
        continue;
      }
      const ServedVersion& served = **version.slot;
      loaded.bytes += served.bytes();
      if (model->route->PercentOf(number) > 0) {
        loaded.serving_bytes += served.bytes();
      } else {
        loaded.idle.push_back({served.used(), id, number, served.bytes()});
      }
    }
  }
  std::sort(loaded.idle.begin(), loaded.idle.end(), [](const auto& a, const auto& b) {
    return a.used < b.used;
  });
  return loaded;
}

absl::Status ServedModels::CheckRoom(const Loaded& loaded,
                                     std::int64_t bytes,
                                     const std::string& name) const {
  if (bytes <= options_.models_bytes_max - loaded.serving_bytes) {
    return absl::OkStatus();
  }
  return WithFix(
      ResourceExhausted("{} takes {} bytes of memory; {} of {} are taken by versions with traffic",
                        name,
                        bytes,
                        loaded.serving_bytes,
                        options_.models_bytes_max),
      "raise limits.models_bytes_max of the serving service, or delete models: `millrace model "
      "rm`");
}

// Unloads what is used least until so many bytes more may be loaded.
absl::Status ServedModels::MakeRoom(std::int64_t bytes, const std::string& name) {
  const Loaded loaded = LoadedNow();  // keeps no version alive: what is unloaded shall be gone
  RETURN_IF_ERROR(CheckRoom(loaded, bytes, name));
  std::int64_t left = loaded.bytes;
  for (auto oldest = loaded.idle.begin(); bytes > options_.models_bytes_max - left; ++oldest) {
    Model next = *ModelOf(oldest->id);
    next.versions.at(oldest->number).slot = nullptr;
    std::vector<v1::RouteShare> shares = next.route->shares();
    RETURN_IF_ERROR(Publish(oldest->id, std::move(next), std::move(shares)));
    left -= oldest->bytes;
    log::Info("model_version_unloaded",
              {{"model_version", VersionName("models", oldest->id, oldest->number)}});
  }
  return absl::OkStatus();
}

}  // namespace millrace::serving
