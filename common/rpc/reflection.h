// Reflection: tells generic clients which services a server has and what their messages are.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

namespace millrace::rpc {

/// grpc.reflection, both published versions, as callback services over the generated descriptor
/// pool. Ours because Debian's library is synchronous (a thread for every idle stream) and turns
/// itself on for every server of a process that links it. Thread-safe.
class Reflection {
 public:
  /// `names` are the full names that `list_services` answers: set before the first call and valid
  /// while there are calls.
  explicit Reflection(const std::vector<std::string>* const& names);
  ~Reflection();
  Reflection(const Reflection&) = delete;
  Reflection& operator=(const Reflection&) = delete;

  /// To be registered with the server; owned by this object, which must outlive the server.
  [[nodiscard]] const std::vector<grpc::Service*>& services() const { return services_; }

 private:
  template <typename Protocol>
  class ServiceOf;

  std::vector<std::unique_ptr<grpc::Service>> owned_;
  std::vector<grpc::Service*> services_;
};

}  // namespace millrace::rpc
