#include "common/rpc/method_name.h"

#include <algorithm>

#include <google/protobuf/descriptor.h>

namespace millrace::rpc {

namespace {

const google::protobuf::MethodDescriptor* Find(std::string_view method) {
  const std::size_t slash = method.find('/');
  if (slash == std::string_view::npos) {
    return nullptr;
  }
  const google::protobuf::ServiceDescriptor* const service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          std::string(method.substr(0, slash)));
  return service == nullptr ? nullptr
                            : service->FindMethodByName(std::string(method.substr(slash + 1)));
}

}  // namespace

std::string_view MethodOf(std::string_view path) {
  return path.substr(path.starts_with('/') ? 1 : 0);
}

bool IsMethod(const std::vector<std::string>& services, std::string_view method) {
  return std::find(services.begin(), services.end(), method.substr(0, method.find('/'))) !=
             services.end() &&
         Find(method) != nullptr;
}

std::vector<std::string> MethodsOf(const std::string& service) {
  std::vector<std::string> names;
  const google::protobuf::ServiceDescriptor* const descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(service);
  for (int i = 0; descriptor != nullptr && i < descriptor->method_count(); ++i) {
    names.push_back(descriptor->method(i)->name());
  }
  return names;
}

std::string RequestOf(std::string_view method) {
  const google::protobuf::MethodDescriptor* const descriptor = Find(method);
  return descriptor == nullptr ? "" : descriptor->input_type()->full_name();
}

}  // namespace millrace::rpc
