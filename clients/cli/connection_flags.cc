#include "clients/cli/connection_flags.h"

#include <string>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "clients/cli/connection_options.h"

namespace millrace::cli {

void AddConnectionFlags(CLI::App& root, ConnectionFlags& flags) {
  const auto add = [&root](const char* names, std::string& field, const char* help) {
    return root.add_option(names, field, help);
  };
  // What is wrong with it, in CLI11's manner: empty for nothing.
  const auto host_and_port = [](const std::string& text) {
    return IsAddress(text) ? std::string() : fmt::format("it must be host:port, found '{}'", text);
  };
  add("--context", flags.context, "the context to use (MILLRACE_CONTEXT)");
  add("--data-address,--data",
      flags.data_address,
      "host:port of the data service (MILLRACE_DATA_ADDRESS); 127.0.0.1:7601")
      ->check(host_and_port);
  add("--training-address,--training",
      flags.training_address,
      "host:port of the training service (MILLRACE_TRAINING_ADDRESS); 127.0.0.1:7602")
      ->check(host_and_port);
  add("--serving-address,--serving",
      flags.serving_address,
      "host:port of the serving service (MILLRACE_SERVING_ADDRESS); 127.0.0.1:7603")
      ->check(host_and_port);
  add("--ca", flags.ca, "PEM file: TLS, with services of this authority (MILLRACE_CA)");
  add("--cert", flags.cert, "PEM file: the own certificate (MILLRACE_CERT)");
  add("--key", flags.key, "PEM file: the key of --cert (MILLRACE_KEY)");
  add("--token-file",
      flags.token_file,
      "file with the token that goes with every call (MILLRACE_TOKEN_FILE, or the token itself in "
      "MILLRACE_TOKEN)");
}

}  // namespace millrace::cli
