// ConnectionOptions: where the services answer and what protects the way there, from flags,
// environment, context and defaults. The one place that knows this order.

#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "millrace/context/v1/context.pb.h"

#include "common/rpc/channel.h"

namespace millrace::cli {

/// Where the services answer, host:port.
struct Addresses {
  std::string data = "127.0.0.1:7601";
  std::string training = "127.0.0.1:7602";
  std::string serving = "127.0.0.1:7603";
};

/// What the common flags say; empty where one is not given.
struct ConnectionFlags {
  std::string context = {};
  std::string data_address = {};
  std::string training_address = {};
  std::string serving_address = {};
  std::string ca = {};
  std::string cert = {};
  std::string key = {};
  std::string token_file = {};
};

/// A way to the services.
struct Endpoints {
  Addresses addresses = {};
  rpc::ChannelOptions protection = {};
  std::string context = {};  // where it comes from
};

/// Flags win over MILLRACE_* variables, these over the context, that over the defaults. The context
/// is that of the flag, of MILLRACE_CONTEXT, or the one in use. The token of MILLRACE_TOKEN is
/// handed on as a file in memory, so that it takes the same guarded way as any other. NOT_FOUND for
/// an unknown context, INVALID_ARGUMENT for an address that is not host:port.
absl::StatusOr<Endpoints> Resolve(const ConnectionFlags& flags);

/// Whether `text` is host:port.
bool IsAddress(std::string_view text);

/// The flags alone over the defaults: where `up` listens.
absl::StatusOr<Addresses> LocalAddresses(const ConnectionFlags& flags);

/// What the flags say as a context, its paths absolute.
context::v1::Context ToContext(const std::string& name, const ConnectionFlags& flags);

}  // namespace millrace::cli
