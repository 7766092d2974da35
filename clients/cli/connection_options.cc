#include "clients/cli/connection_options.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli/context_file.h"
#include "common/status/status.h"

namespace millrace::cli {

namespace {

using context::v1::Context;

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Replaces `field` where flag or variable have something else.
absl::Status TakeAddress(const std::string& flag, const char* variable, std::string& field) {
  const std::string from_variable = Variable(variable);
  if (flag.empty() && !from_variable.empty() && !IsAddress(from_variable)) {
    return WithFix(InvalidArgument("{} must be host:port, found '{}'", variable, from_variable),
                   "for example 127.0.0.1:7601");
  }
  field = !flag.empty() ? flag : !from_variable.empty() ? from_variable : field;
  return absl::OkStatus();
}

absl::Status TakeAddresses(const ConnectionFlags& flags, Addresses& addresses) {
  RETURN_IF_ERROR(TakeAddress(flags.data_address, "MILLRACE_DATA_ADDRESS", addresses.data));
  RETURN_IF_ERROR(
      TakeAddress(flags.training_address, "MILLRACE_TRAINING_ADDRESS", addresses.training));
  return TakeAddress(flags.serving_address, "MILLRACE_SERVING_ADDRESS", addresses.serving);
}

std::string First(const std::string& flag, const char* variable, const std::string& otherwise) {
  const std::string from_variable = Variable(variable);
  return !flag.empty() ? flag : !from_variable.empty() ? from_variable : otherwise;
}

// A file that is in memory alone, and lives as long as the process.
absl::StatusOr<std::string> MemoryFile(std::string_view text) {
  const int file = memfd_create("millrace-token", MFD_CLOEXEC);
  // Whoever reads a token looks that nobody else may write it.
  if (file < 0 || fchmod(file, S_IRUSR | S_IWUSR) != 0 ||
      write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return Internal("cannot hold the token of MILLRACE_TOKEN in memory");
  }
  return fmt::format("/proc/self/fd/{}", file);
}

absl::StatusOr<std::string> TokenPath(const ConnectionFlags& flags, const Context& context) {
  if (const std::string token = Variable("MILLRACE_TOKEN");
      flags.token_file.empty() && !token.empty()) {
    return MemoryFile(token);
  }
  return First(flags.token_file, "MILLRACE_TOKEN_FILE", context.token_file());
}

absl::StatusOr<Context> ChosenContext(const ConnectionFlags& flags) {
  ASSIGN_OR_RETURN(const context::v1::ContextList list, LoadContexts());
  const std::string current = list.current().empty() ? std::string(kLocalContext) : list.current();
  return FindContext(list, First(flags.context, "MILLRACE_CONTEXT", current));
}

void TakeUnlessEmpty(const std::string& value, std::string& field) {
  field = value.empty() ? field : value;
}

std::string Absolute(const std::string& path) {
  std::error_code error;
  return path.empty() ? path : std::filesystem::absolute(path, error).lexically_normal().string();
}

}  // namespace

bool IsAddress(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  return colon != std::string_view::npos && colon != 0 && colon + 1 != text.size();
}

absl::StatusOr<Endpoints> Resolve(const ConnectionFlags& flags) {
  ASSIGN_OR_RETURN(const Context context, ChosenContext(flags));
  Endpoints ends;
  ends.context = context.name();
  TakeUnlessEmpty(context.data_address(), ends.addresses.data);
  TakeUnlessEmpty(context.training_address(), ends.addresses.training);
  TakeUnlessEmpty(context.serving_address(), ends.addresses.serving);
  RETURN_IF_ERROR(TakeAddresses(flags, ends.addresses));
  security::v1::Tls& tls = ends.protection.tls;
  tls.set_authority(First(flags.ca, "MILLRACE_CA", context.tls().authority()));
  tls.set_certificate(First(flags.cert, "MILLRACE_CERT", context.tls().certificate()));
  tls.set_key(First(flags.key, "MILLRACE_KEY", context.tls().key()));
  ASSIGN_OR_RETURN(ends.protection.token_file, TokenPath(flags, context));
  return ends;
}

absl::StatusOr<Addresses> LocalAddresses(const ConnectionFlags& flags) {
  Addresses addresses;
  RETURN_IF_ERROR(TakeAddresses(flags, addresses));
  return addresses;
}

Context ToContext(const std::string& name, const ConnectionFlags& flags) {
  Context context;
  context.set_name(name);
  context.set_data_address(flags.data_address);
  context.set_training_address(flags.training_address);
  context.set_serving_address(flags.serving_address);
  if (!flags.ca.empty() || !flags.cert.empty() || !flags.key.empty()) {
    context.mutable_tls()->set_authority(Absolute(flags.ca));
    context.mutable_tls()->set_certificate(Absolute(flags.cert));
    context.mutable_tls()->set_key(Absolute(flags.key));
  }
  context.set_token_file(Absolute(flags.token_file));
  return context;
}

}  // namespace millrace::cli
