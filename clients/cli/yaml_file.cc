#include "clients/cli/yaml_file.h"

#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>
#include <google/protobuf/message.h>

#include "clients/cli/failure.h"
#include "clients/cli/input_file.h"
#include "common/config/config.h"
#include "common/status/status.h"

namespace millrace::cli {

absl::Status ReadYaml(const std::string& path, google::protobuf::Message& message) {
  constexpr std::string_view kWhat = "a YAML file (deploy/examples has some)";
  ASSIGN_OR_RETURN(const InputFile input, OpenInput(path, kWhat));
  std::ostringstream yaml;
  if (!(yaml << input.stream.rdbuf())) {
    return WithFix(InvalidArgument("'{}' is empty", path), fmt::format("give {}", kWhat));
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
