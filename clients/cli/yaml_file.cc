#include "clients/cli/yaml_file.h"

#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <fmt/core.h>
#include <google/protobuf/message.h>

#include "common/config/config.h"
#include "common/status/status.h"

#include "clients/cli/failure.h"

namespace millrace::cli {

absl::Status ReadYaml(const std::string& path, google::protobuf::Message& message) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream yaml;
  if (!(file && yaml << file.rdbuf())) {
    return WithFix(NotFound("cannot read '{}', or it is empty", path),
                   "give the path of a YAML file; deploy/examples has some");
  }
  return config::FillFromYaml(path, yaml.str(), message);
}

absl::Status Override(const std::vector<std::string>& words, google::protobuf::Message& message) {
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return UsageError(fmt::format("--set must be PATH=VALUE, found '{}'", word),
                        "for example --set training.epochs=10");
    }
    const std::string_view view(word);
    RETURN_IF_ERROR(config::Set(view.substr(0, equals), view.substr(equals + 1), message));
  }
  return absl::OkStatus();
}

}  // namespace millrace::cli
