#include "common/rpc/request_id.h"

#include <algorithm>
#include <cstdint>
#include <random>

#include <fmt/format.h>

namespace millrace::rpc {

namespace {

constexpr std::size_t kBytesMax = 64;

}  // namespace

bool IsRequestId(std::string_view id) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return !id.empty() && id.size() <= kBytesMax && std::all_of(id.begin(), id.end(), allowed);
}

std::string NewRequestId() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

std::string RequestId(const grpc::CallbackServerContext& context) {
  const auto found = context.client_metadata().find(kRequestIdKey);
  if (found == context.client_metadata().end()) {
    return {};
  }
  const std::string_view id(found->second.data(), found->second.size());
  return IsRequestId(id) ? std::string(id) : std::string();
}

void SetRequestId(grpc::ClientContext& context, const std::string& id) {
  if (!id.empty()) {
    context.AddMetadata(kRequestIdKey, id);
  }
}

}  // namespace millrace::rpc
