#include "clients/cli/context_file.h"

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <google/protobuf/util/json_util.h>

#include "clients/cli/output.h"
#include "clients/cli/private_file.h"
#include "common/config/config.h"
#include "common/status/check.h"
#include "common/status/status.h"

namespace millrace::cli {

using context::v1::Context;
using context::v1::ContextList;

std::string ContextPath() {
  return UserFolder("XDG_CONFIG_HOME", ".config") + "/contexts.yaml";
}

absl::StatusOr<ContextList> LoadContexts() {
  const std::string path = ContextPath();
  const absl::StatusOr<std::string> yaml = ReadSmallFile(path);
  ContextList list;
  if (absl::IsNotFound(yaml.status())) {
    return list;
  }
  RETURN_IF_ERROR(yaml.status());
  RETURN_IF_ERROR(config::FillFromYaml(path, *yaml, list));
  return list;
}

absl::Status SaveContexts(const ContextList& list) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;  // as FillFromYaml() reads them
  std::string json;
  CHECK(google::protobuf::util::MessageToJsonString(list, &json, options).ok());
  return WritePrivateFile(ContextPath(), ToYaml(json));
}

absl::StatusOr<Context> FindContext(const ContextList& list, std::string_view name) {
  if (name == kLocalContext) {
    Context local;
    local.set_name(std::string(name));
    return local;
  }
  std::vector<std::string> names;
  for (const Context& context : list.contexts()) {
    if (context.name() == name) {
      return context;
    }
    names.push_back(context.name());
  }
  const std::string closest = config::Closest(name, names);
  return WithFix(NotFound("there is no context '{}'", name),
                 closest.empty() ? "'millrace context ls' lists them"
                                 : fmt::format("did you mean '{}'?", closest));
}

}  // namespace millrace::cli
