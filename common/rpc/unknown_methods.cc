#include "common/rpc/unknown_methods.h"

#include <algorithm>
#include <array>
#include <memory>

#include <absl/strings/ascii.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/rpc/method_name.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::rpc {

namespace {

constexpr std::size_t kNameBytesMax = 100;

// Who has a service of this system, and where it listens unless told otherwise.
struct Home {
  std::string_view service;
  std::string_view name;
  int port;
};

constexpr std::array<Home, 4> kHomes = {{{"millrace.data.v1.DataService", "data", 7601},
                                         {"millrace.training.v1.TrainingService", "training", 7602},
                                         {"millrace.serving.v1.ServingService", "serving", 7603},
                                         {"inference.GRPCInferenceService", "serving", 7603}}};

const Home* HomeOf(std::string_view service) {
  const auto* const found = std::find_if(kHomes.begin(), kHomes.end(), [service](const Home& home) {
    return home.service == service;
  });
  return found == kHomes.end() ? nullptr : found;
}

// A name that a client made up, fit for a message.
std::string Excerpt(std::string_view name) {
  std::string text(name.substr(0, kNameBytesMax));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return name.size() > kNameBytesMax ? text + "..." : text;
}

bool IsGrpcs(std::string_view service) {
  return service.starts_with("grpc.");
}

// "the serving service, which has ...".
std::string WhoIsHere(const std::vector<std::string>& services) {
  std::vector<std::string> own;
  std::string_view name;
  for (const std::string& service : services) {
    if (!IsGrpcs(service)) {
      own.push_back(service);
    }
    if (const Home* const home = HomeOf(service); home != nullptr) {
      name = home->name;
    }
  }
  return name.empty()
             ? fmt::format("this server has {}", fmt::join(own, ", "))
             : fmt::format("this is the {} service, which has {}", name, fmt::join(own, ", "));
}

}  // namespace

absl::Status NoSuchMethod(const std::vector<std::string>& services, std::string_view method) {
  const std::string_view service = method.substr(0, method.find('/'));
  if (std::find(services.begin(), services.end(), service) != services.end()) {
    return absl::UnimplementedError(fmt::format("{} is no method of this service; it has: {}",
                                                Excerpt(method),
                                                fmt::join(MethodsOf(std::string(service)), ", ")));
  }
  const absl::Status error = absl::UnimplementedError(
      fmt::format("{} is not served here: {}", Excerpt(service), WhoIsHere(services)));
  const Home* const home = HomeOf(service);
  if (home == nullptr) {
    return error;
  }
  return WithFix(
      error,
      fmt::format("ask the {} service: look at its address, which is 127.0.0.1:{} unless "
                  "it was told otherwise (--{}-address, MILLRACE_{}_ADDRESS)",
                  home->name,
                  home->port,
                  home->name,
                  absl::AsciiStrToUpper({home->name.data(), home->name.size()})));
}

void UnknownMethods::CountIn(prometheus::Registry& registry) {
  metrics_ = std::make_unique<CallMetrics>(registry, "other", /*changes=*/false);
}

grpc::ServerGenericBidiReactor* UnknownMethods::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  class Reactor final : public grpc::ServerGenericBidiReactor {
   public:
    void OnDone() override { delete this; }
  };

  const grpc::Status status = ToGrpcStatus(NoSuchMethod(*services_, MethodOf(context->method())));
  if (metrics_ != nullptr) {
    CallMeter(*metrics_, status.error_code()).EndsWith(status.error_code(), *context);
  }
  auto* const reactor = new Reactor;  // deletes itself
  reactor->Finish(status);
  return reactor;
}

}  // namespace millrace::rpc
